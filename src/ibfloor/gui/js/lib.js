// Preact with tagged templates, and a component that renders again only when its properties changed.
import { Component, h, render } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export { render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.mjs";

export const html = htm.bind(h);

export function pure(draw) {
  return class Pure extends Component {
    shouldComponentUpdate(next) {
      const names = Object.keys(next);
      return names.length !== Object.keys(this.props).length || names.some((name) => next[name] !== this.props[name]);
    }

    render(props) {
      return draw(props);
    }
  };
}

export function classes(...names) {
  return names.filter(Boolean).join(" ");
}
