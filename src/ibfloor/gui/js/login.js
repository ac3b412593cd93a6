// The login page: redeem the one-time token of the address' fragment (which browsers never send), or take a password.
const said = document.getElementById("said");
const passwordForm = document.getElementById("password");

async function logIn(body) {
  const answer = await fetch("/api/v1/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { error } = await answer.json();
  if (answer.ok) {
    location.replace("/");
    return;
  }
  throw new Error(error.text);
}

function say(text, isError = false) {
  said.textContent = text;
  said.classList.toggle("is-error", isError);
}

function offer(ways, text, isError) {
  passwordForm.hidden = !ways.password;
  if (ways.password) document.getElementById("secret").focus();
  const hint = ways.password ? "Log in with the password, or open" : "Open";
  say(text || `${hint} the login link that the floor prints when it starts.`, isError);
}

async function start() {
  const token = location.hash.slice(1);
  history.replaceState(null, "", "/login");
  const ways = await (await fetch("/api/v1/login")).json();
  if (ways.logged_in) {
    location.replace("/");
    return;
  }
  if (!token) {
    offer(ways, "", false);
    return;
  }
  try {
    await logIn({ token });
  } catch (error) {
    offer(ways, error.message, true);
  }
}

passwordForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("secret");
  try {
    await logIn({ password: field.value });
  } catch (error) {
    say(error.message, true);
    field.select();
  }
});

function begin() {
  start().catch(() => say("The web process does not answer. Is the floor running?", true));
}

// A link pasted into a tab that is here already changes the fragment only: the page is not loaded anew.
window.addEventListener("hashchange", () => location.hash && begin());
begin();
