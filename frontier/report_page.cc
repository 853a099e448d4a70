// SPDX-License-Identifier: Apache-2.0
#include "frontier/report_page.h"

namespace ridgeline {

// Colours of estimators are of Okabe and Ito, which people with colour-blindness can tell apart.
const std::string_view kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1d222b; --quiet: #5d6675; --faint: #9aa2ae; --line: #e3e6eb;
  --grid: #eceef2; --hover: #eef4fb; --accent: #0b63b0; --area: #0b63b01a; --stairs: #0b63b0; --star: #b06a00;
  --e0: #4a515c; --e1: #0072b2; --e2: #c95400; --e3: #008a63; --e4: #b5568f;
  --e5: #b07c00; --e6: #2b8fc4; --e7: #7a5195; --e8: #8d6318; --e9: #55861a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --card: #171c23; --ink: #e6e9ee; --quiet: #a0a9b6; --faint: #6f7886; --line: #2a313b;
    --grid: #232a33; --hover: #1f2a37; --accent: #6cb2f2; --area: #6cb2f21f; --stairs: #6cb2f2; --star: #f0b04a;
    --e0: #b4bbc6; --e1: #4fb0ea; --e2: #f58a4b; --e3: #3fc79a; --e4: #e092bf;
    --e5: #e8b64c; --e6: #8fd0f5; --e7: #b796d4; --e8: #cfa05a; --e9: #9ccc5b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
main, header.page, footer { max-width: 1400px; margin: 0 auto; padding: 0 28px; }
header.page { padding-top: 30px; }
h1 { margin: 0 0 4px; font-size: 27px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 34px 0 14px; font-size: 21px; overflow-wrap: anywhere; }
h3 { margin: 0; font-size: 15px; font-weight: 650; }
.eyebrow { margin: 0 0 6px; color: var(--accent); font-size: 12px; font-weight: 650; letter-spacing: 0.08em;
  text-transform: uppercase; }
.meta { margin: 0; color: var(--quiet); font-size: 13.5px; overflow-wrap: anywhere; }
.meta span + span::before { content: "·"; margin: 0 8px; color: var(--faint); }
nav { margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 8px; }
nav a { padding: 3px 11px; border: 1px solid var(--line); border-radius: 99px; background: var(--card);
  color: var(--ink); font-size: 13.5px; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover { border-color: var(--accent); color: var(--accent); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px; margin: 20px 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 13px 16px; min-width: 0; }
.card .what { margin: 0; color: var(--quiet); font-size: 12.5px; }
.card .value { margin: 1px 0; font-size: 24px; font-weight: 650; font-variant-numeric: tabular-nums;
  letter-spacing: -0.01em; }
.card .more { margin: 0; color: var(--quiet); font-size: 12px; overflow-wrap: anywhere; }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px;
  margin: 0 0 16px; min-width: 0; }
.panel > .head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 14px; margin: 0 0 10px; }
.panel .head p, .note, .same { margin: 0; color: var(--quiet); font-size: 13px; }
.note { margin: 8px 0 0; }
.same { margin-top: 12px; overflow-wrap: anywhere; }
.same span { margin-left: 12px; display: inline-block; }
.same b { font-weight: 600; color: var(--ink); }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-bottom: 16px; }
.plots > .panel { margin: 0; display: flex; flex-direction: column; }
.plots .plot { margin-top: auto; }
.plots > .wide { grid-column: 1 / -1; }
.plot { overflow-x: auto; }
.plot > svg { display: block; width: 100%; height: auto; min-width: 520px; }
.wide .plot > svg { min-width: 800px; }
.legend, .legend .group { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; }
.legend { column-gap: 32px; margin: 0 2px 14px; font-size: 13px; }
.legend b { color: var(--quiet); font-weight: 650; }
.key { display: inline-flex; align-items: center; gap: 6px; }
.swatch { width: 16px; height: 16px; flex: none; overflow: visible; }
svg text { fill: var(--quiet); font-size: 11.5px; }
svg .axis-title { font-size: 12.5px; fill: var(--ink); }
svg .tick { font-variant-numeric: tabular-nums; }
svg .label { fill: var(--c); stroke: var(--card); stroke-width: 3.5px; stroke-linejoin: round; paint-order: stroke; }
svg .grid { stroke: var(--grid); }
svg .axis { stroke: var(--faint); }
svg .leader { stroke: var(--faint); stroke-width: 0.8; }
svg .area { fill: var(--area); }
svg .stairs { fill: none; stroke: var(--stairs); stroke-width: 1.6; opacity: 0.75; }
svg .band { stroke: var(--c); stroke-width: 1.3; opacity: 0.5; }
svg .m { fill: var(--card); stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
svg .pareto .m, svg.pareto .m { fill: var(--c); }
svg .curve { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
svg.crowded .pt:not(.pareto) .curve { stroke-width: 1.2; opacity: 0.45; }
svg.crowded g:not(.pareto):not(.hot):not(.pin) > .band { display: none; }
svg .hit { fill: none; stroke: transparent; stroke-width: 11; }
svg .pt { cursor: pointer; }
.plain { --c: var(--quiet); }
.e0 { --c: var(--e0); } .e1 { --c: var(--e1); } .e2 { --c: var(--e2); } .e3 { --c: var(--e3); } .e4 { --c: var(--e4); }
.e5 { --c: var(--e5); } .e6 { --c: var(--e6); } .e7 { --c: var(--e7); } .e8 { --c: var(--e8); } .e9 { --c: var(--e9); }
svg [data-p] { transition: opacity 0.12s; }
.dim svg [data-p]:not(.hot):not(.pin) { opacity: 0.18; }
svg .hot .m, svg .pin .m { stroke-width: 3.6; }
svg .hot .curve, svg .pin .curve { stroke-width: 3; }
svg .hot .label, svg .pin .label { font-weight: 650; }
.off { display: none; }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; margin-left: auto; font-size: 13px;
  color: var(--quiet); }
.tools input[type=search] { font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--line);
  border-radius: 7px; padding: 4px 10px; width: 190px; }
.tools label { display: inline-flex; align-items: center; gap: 6px; cursor: pointer; }
.scroll { overflow-x: auto; margin: 0 -18px; padding: 0 18px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 9px; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
th { font-weight: 600; }
.num { text-align: right; }
.points thead th { padding: 0; vertical-align: bottom; border-bottom: 1px solid var(--faint); }
.points thead button { all: unset; box-sizing: border-box; display: block; width: 100%; padding: 6px 9px;
  color: var(--quiet); font-weight: 600; line-height: 1.25; cursor: pointer; white-space: nowrap; }
.points thead button small { display: block; font-weight: 400; font-size: 11.5px; color: var(--faint); }
.points thead button:hover, .points thead button:focus-visible { color: var(--accent); }
.points thead button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 4px; }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
th[aria-sort] button { color: var(--ink); position: relative; }
th:has(small)[aria-sort] button::after { position: absolute; top: 6px; right: -1px; }
.points tbody tr { cursor: pointer; }
.points tbody tr:hover > *, .points tr.hot > * { background: var(--hover); }
.points tr.pin > * { background: var(--hover); box-shadow: inset 0 1px var(--accent), inset 0 -1px var(--accent); }
.points .name, .recipes th:first-child { position: sticky; left: -18px; background: var(--card); z-index: 1; }
.points th.star, .points td.star { text-align: center; color: var(--star); }
.points th.star button { text-align: center; }
.points tr:not(.pareto) th.name { font-weight: 450; }
.hash { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
.none { color: var(--faint); }
.recipes { width: auto; min-width: 60%; }
.recipes thead th { white-space: normal; min-width: 76px; max-width: 130px; vertical-align: bottom; color: var(--quiet);
  overflow-wrap: anywhere; line-height: 1.25; border-bottom: 1px solid var(--faint); }
.recipes td { max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
.recipes .usual { color: var(--faint); }
.recipes .gone { color: var(--faint); font-style: italic; }
.recipes th.hot { color: var(--accent); }
#tip { position: fixed; z-index: 9; display: none; max-width: 340px; padding: 9px 12px; border-radius: 8px;
  background: var(--ink); color: var(--card); font-size: 12.5px; line-height: 1.45; white-space: pre-line;
  pointer-events: none; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; box-shadow: 0 6px 20px #0004; }
#tip::first-line { font-weight: 650; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 16px; margin: 0; font-size: 13px;
  color: var(--quiet); }
dt { font-weight: 600; color: var(--ink); }
dd { margin: 0; }
footer { padding-top: 10px; padding-bottom: 34px; color: var(--faint); font-size: 12.5px; }
@media (max-width: 1000px) { .plots { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 600px) {
  main, header.page, footer { padding-left: 14px; padding-right: 14px; }
  h1 { font-size: 22px; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; }
  .card .value { font-size: 20px; }
  .panel { padding: 13px 12px; }
  .scroll { margin: 0 -12px; padding: 0 12px; }
  .points .name { left: -12px; max-width: 150px; overflow: hidden; text-overflow: ellipsis; }
  .tools { margin-left: 0; }
  dl { grid-template-columns: 1fr; gap: 2px; }
  dd { margin-bottom: 8px; }
}
@media print { .tools { display: none; } body { background: none; } .panel, .card { break-inside: avoid; } }
)css";

const std::string_view kReportScript = R"js(
(() => {
  'use strict';
  const tip = document.getElementById('tip');

  const parts = (section, id) => [...section.querySelectorAll('[data-p]')].filter(e => e.dataset.p === id);

  function dim(section) {
    section.classList.toggle('dim', section.querySelector('.hot, .pin') !== null);
  }

  function heat(section, id) {
    section.querySelectorAll('.hot').forEach(e => e.classList.remove('hot'));
    if (id !== null) parts(section, id).forEach(e => e.classList.add('hot'));
    dim(section);
  }

  function showTip(target, event) {
    const text = target && target.dataset.tip;
    tip.style.display = text ? 'block' : 'none';
    if (!text) return;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 16 + box.width > innerWidth - 8 ? event.clientX - 16 - box.width : event.clientX + 16;
    const top = Math.min(event.clientY + 14, innerHeight - box.height - 8);
    tip.style.left = Math.max(8, left) + 'px';
    tip.style.top = Math.max(8, top) + 'px';
  }

  // Cells without a value come last, whichever way.
  function compare(a, b, kind, direction) {
    if (a === '' || b === '') return (a === '') - (b === '');
    const order = kind === 'number' ? Number(a) - Number(b) : a.localeCompare(b, undefined, {numeric: true});
    return order * direction;
  }

  function sort(button) {
    const head = button.closest('th'), row = head.parentElement, body = row.closest('table').tBodies[0];
    const column = [...row.children].indexOf(head), first = Number(button.dataset.first);
    const was = head.getAttribute('aria-sort');
    const direction = was === null ? first : was === 'ascending' ? -1 : 1;
    [...row.children].forEach(each => each.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', direction === 1 ? 'ascending' : 'descending');
    const value = line => line.children[column].dataset.v;
    const lines = [...body.rows];
    lines.sort((a, b) => compare(value(a), value(b), button.dataset.kind, direction));
    body.append(...lines);
  }

  function filter(section) {
    const words = section.querySelector('.filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    const paretoOnly = section.querySelector('.pareto-only').checked;
    const rows = [...section.querySelectorAll('.points tbody tr')];
    const shown = new Set();
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      if (words.every(word => text.includes(word)) && (!paretoOnly || row.classList.contains('pareto')))
        shown.add(row.dataset.p);
    }
    section.querySelectorAll('.points [data-p], svg [data-p]').forEach(
        e => e.classList.toggle('off', !shown.has(e.dataset.p)));
    section.querySelector('.count').textContent =
        shown.size === rows.length ? '' : shown.size + ' of ' + rows.length + ' points';
  }

  document.querySelectorAll('section.set').forEach(section => {
    section.addEventListener('pointerover', event => {
      const target = event.target.closest('[data-p]');
      heat(section, target ? target.dataset.p : null);
      showTip(target, event);
    });
    section.addEventListener('pointermove', event => showTip(event.target.closest('[data-p]'), event));
    section.addEventListener('pointerleave', () => { heat(section, null); showTip(null); });
    section.addEventListener('click', event => {
      const button = event.target.closest('.points thead button');
      if (button) return sort(button);
      const target = event.target.closest('[data-p]');
      if (!target || String(getSelection())) return;
      parts(section, target.dataset.p).forEach(e => e.classList.toggle('pin'));
      dim(section);
    });
    section.querySelectorAll('.filter, .pareto-only').forEach(
        input => input.addEventListener('input', () => filter(section)));
    section.querySelector('.tools').hidden = false;
  });
})();
)js";

}  // namespace ridgeline
