"""How the page looks, in the light and in the dark, on wide screens, narrow ones and paper."""

CSS = """
:root { color-scheme: light dark; --ink: #1d2330; --dim: #5b6474; --paper: #fff; --line: #d9dee7;
  --good: #17733f; --bad: #b3261e; --soft: #f4f6fa;
  --c0: #0b62c4; --c1: #c2410c; --c2: #15803d; --c3: #a21caf; --c4: #0e7490; --c5: #7a5c00;
  --c6: #be123c; --c7: #4d7c0f; --c8: #6d28d9; --c9: #475569; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9f0; --dim: #a3adbd; --paper: #12151c; --line: #323947; --good: #5fd38d;
    --bad: #ff8a80; --soft: #1b202a;
    --c0: #6cb0ff; --c1: #ff9d63; --c2: #5fd38d; --c3: #ea8cf5; --c4: #58cfe3; --c5: #f2c14e;
    --c6: #ff8fa3; --c7: #b4dc5a; --c8: #b9a1ff; --c9: #b3bfd1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .4rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p, dl { max-width: 60rem; } .dim, dt { color: var(--dim); }
code { background: var(--soft); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0; }
dd { margin: 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; } a { color: var(--c0); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: separate; border-spacing: 0; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; font-weight: normal;
  border-top: 1px solid var(--line); background: var(--paper); }
thead th { white-space: normal; border-top: 0; background: var(--soft); font-weight: 600;
  vertical-align: bottom; }
th:first-child, .text { text-align: left; }
tbody th:first-child, thead th:first-child, tfoot th { position: sticky; left: 0; }
.group th { background: var(--soft); font-weight: 600; }
.note { white-space: normal; min-width: 14rem; text-align: left; }
.slower { color: var(--bad); font-weight: 600; } .faster { color: var(--good); }
.first > * { border-top: 2px solid var(--line); } .mean th, .mean td { font-weight: 600; }
small { color: var(--dim); font-weight: normal; }
summary { cursor: pointer; font-weight: 600; padding: .35rem 0; }
.bar { width: 60%; min-width: 8rem; padding: 0; } .bar div { position: relative; height: 1.9rem; }
.bar i { position: absolute; left: 0; top: .45rem; height: 1rem; background: currentColor;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.bar .theirs { background: none; border: 2px solid currentColor; }
.bar b { position: absolute; top: 0; bottom: 0; border-left: 2px solid var(--ink); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font-size: 13px; }
.grid { stroke: var(--line); } .roof { fill: none; stroke: var(--ink); stroke-width: 2; }
circle { fill: currentColor; fill-opacity: .75; stroke: var(--paper); }
.chosen { stroke: var(--ink); stroke-width: 1.6; fill-opacity: 1; }
.peer { fill: none; stroke: currentColor; stroke-width: 2; pointer-events: all; }
polyline.series { fill: none; stroke: currentColor; stroke-width: 1.5; }
.spark { width: 9rem; height: 1.5rem; overflow: visible; }
.spark polyline { vector-effect: non-scaling-stroke; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none;
  padding: 0; margin: .4rem 0; }
.legend i { display: inline-block; width: .7em; height: .7em; margin-right: .4em; }
.disc, .ringed { background: currentColor; border-radius: 50%; print-color-adjust: exact; }
.ringed { outline: 2px solid var(--ink); } .square { border: 2px solid currentColor; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.c6 { color: var(--c6); } .c7 { color: var(--c7); } .c8 { color: var(--c8); }
.c9 { color: var(--c9); } .ink { color: var(--ink); }
@media (max-width: 40rem) { body { padding: .6rem; font-size: 14px; }
  dl { grid-template-columns: 1fr; } dt { margin-top: .3rem; } th, td { padding: .25rem .45rem; }
  tbody th:first-child { white-space: normal; min-width: 9rem; }
  .plot { overflow-x: auto; } .plot svg { min-width: 44rem; } svg text { font-size: 17px; } }
@media print { body { max-width: none; font-size: 10px; } nav { display: none; }
  :root { color-scheme: light; } .wide, .plot { overflow: visible; border: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
  svg, tr, .legend { break-inside: avoid; } h2, h3, summary { break-after: avoid; }
  th { position: static !important; } }
"""
