"""The look of a statement: the pages' own colours, dark where the reader's system is, light on paper."""

from __future__ import annotations

CSS = """
:root{--app:#eef1f5;--panel:#fff;--line:#d8dee6;--text:#0f1722;--soft:#4b5a6b;--accent:#1d5fd1;--gain:#00796b;
--loss:#c8321f;--warn:#8a5a00;--warnbg:#fff6e0}
@media screen and (prefers-color-scheme:dark){:root{--app:#0a0e13;--panel:#11171f;--line:#1f2935;--text:#e6edf3;
--soft:#a3b1c2;--accent:#6ea8fe;--gain:#2ec4b6;--loss:#ff6b57;--warn:#f5b83d;--warnbg:#1f1a0e}}
*{box-sizing:border-box}
body{margin:0;background:var(--app);color:var(--text);font:13px/1.5 Inter,system-ui,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{max-width:1080px;margin:0 auto;padding:32px 24px 48px}
header{margin-bottom:20px}
h1{font-size:28px;line-height:1.2;margin:2px 0;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:14px;margin:0 0 8px;font-weight:600}
p{margin:0}
.kicker{color:var(--soft);font-size:12px}
.day{color:var(--soft);font-size:14px}
.figures{display:grid;grid-template-columns:repeat(4,1fr);gap:8px}
.figures>div,main>section:not(.figures),aside{background:var(--panel);border:1px solid var(--line);border-radius:8px;
padding:14px 16px}
main>section:not(.figures),aside{margin-top:8px}
.label{color:var(--soft);font-size:12px}
.big{font-size:20px;font-weight:600;white-space:nowrap}
.unit{font-size:12px;font-weight:500;color:var(--soft)}
.why{color:var(--warn);font-size:12px}
aside{background:var(--warnbg);border-color:var(--warn)}
aside h2{color:var(--warn)}
aside ul{margin:6px 0 0;padding-left:18px}
.scroll{overflow-x:auto;margin:0 -16px;padding:0 16px}
table{border-collapse:collapse;width:100%;font-size:12.5px}
table.narrow{max-width:520px}
th,td{padding:5px 12px 5px 0;text-align:left;vertical-align:top;white-space:nowrap;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-weight:500;font-size:12px;vertical-align:bottom;white-space:normal}
tbody th{font-weight:500}
tbody tr:last-child>*{border-bottom:0}
.number{text-align:right}
.wide{white-space:normal;min-width:140px}
.strong>*{font-weight:650}
.lot>*{color:var(--soft);border-bottom-style:dotted}
.lot>th{padding-left:14px;font-weight:400}
.gain{color:var(--gain)}.loss{color:var(--loss)}.zero{color:var(--soft)}.unknown{color:var(--warn);cursor:help}
.empty,.note,footer{color:var(--soft)}
.note{margin-top:8px;font-size:12px}
footer{margin-top:20px;font-size:12px;max-width:76ch}
@media(max-width:760px){main{padding:20px 12px 40px}h1{font-size:23px}.figures{grid-template-columns:1fr 1fr}
.figures>div,main>section:not(.figures),aside{padding:12px}.scroll{margin:0 -12px;padding:0 12px}.big{font-size:17px}
.spare{display:none}}
@media print{@page{margin:14mm}:root{--app:#fff}body{font-size:9.5pt}main{max-width:none;padding:0}
.figures>div,main>section:not(.figures),aside{border-color:#bbb;padding:8px 10px}
section,aside,tr{break-inside:avoid}main>section:not(.figures):has(tr:nth-child(20)){break-inside:auto}
thead{display:table-header-group}table{font-size:8.5pt}th,td{padding-right:8px}.scroll{overflow:visible}
.figures{grid-template-columns:repeat(4,1fr)}}
"""
