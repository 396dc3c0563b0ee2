'use strict';

// The page at `/`: the way a request takes, and a note to write and read back. It may be kept for five seconds.

const crypto = require('node:crypto');

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6577; --ground: #f6f7f9; --card: #fff; --line: #d9dee6; --mark: #1f5fbf; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #9aa5b8; --ground: #14171d; --card: #1d222b; --line: #333b48; --mark: #7fb0ff; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0 0 .75rem; }
p { margin: 0 0 1.5rem; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1.25rem; margin-bottom: 1.25rem; }
ol { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; list-style: none; margin: 0; padding: 0; }
li { border-left: 3px solid var(--mark); padding-left: .75rem; }
li span { display: block; color: var(--soft); font-size: .8125rem; }
li b, output { font-family: ui-monospace, monospace; font-weight: 600; overflow-wrap: anywhere; }
form { display: flex; gap: .5rem; flex-wrap: wrap; }
input, button { font: inherit; padding: .5rem .75rem; border-radius: .375rem; border: 1px solid var(--line); }
input { flex: 1 1 14rem; background: var(--ground); color: inherit; }
button { background: var(--mark); border-color: var(--mark); color: var(--card); cursor: pointer; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
output { display: block; margin-top: .75rem; font-weight: 400; font-size: .875rem; min-height: 1.5em; }
output.bad { color: var(--bad); }
`;

const SCRIPT = `
const at = (id) => document.getElementById(id);
const show = (id, text) => { at(id).textContent = text || '–'; };
async function whoami() {
  try {
    const response = await fetch('/api/whoami', { cache: 'no-store' });
    const { host, release } = await response.json();
    show('lb', response.headers.get('X-LB'));
    show('web', response.headers.get('X-Web'));
    show('app', host + ' · ' + release);
  } catch { show('app', 'no answer'); }
}
async function note(event) {
  event.preventDefault();
  const told = at('told');
  const tell = (text, bad) => { told.textContent = text; told.className = bad ? 'bad' : ''; };
  try {
    const began = performance.now();
    const response = await fetch('/api/notes', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ text: at('text').value }),
    });
    const written = await response.json();
    if (!response.ok) return tell(written.error, true);
    show('primary', written.written_to);
    for (let tries = 0; tries < 200; tries += 1) {
      const read = await fetch('/api/notes/' + written.id, { cache: 'no-store' });
      if (read.status !== 404) {
        const found = await read.json();
        if (!read.ok) return tell(found.error, true);
        show('replica', found.read_from);
        at('text').value = '';
        return tell('note ' + found.id + ' read back from ' + found.read_from + ' after ' + Math.round(performance.now() - began) + ' ms');
      }
      await new Promise((done) => setTimeout(done, 25));
    }
    tell('note ' + written.id + ' has not reached the replica', true);
  } catch { tell('no answer', true); }
}
at('note').addEventListener('submit', note);
whoami();
setInterval(whoami, 2000);
`;

const hash = (text) => `'sha256-${crypto.createHash('sha256').update(text).digest('base64')}'`;
const POLICY = `default-src 'none'; connect-src 'self'; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function answer(settings) {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Notes</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Notes</h1>
<p>Made by ${escape(settings.host)}, release ${escape(settings.release)}. Written to the primary, read from its replica.</p>
<section>
<h2>Who answers</h2>
<ol>
<li><span>balancer</span><b id="lb">–</b></li>
<li><span>web</span><b id="web">–</b></li>
<li><span>application</span><b id="app">${escape(settings.host)} · ${escape(settings.release)}</b></li>
<li><span>primary</span><b id="primary">–</b></li>
<li><span>replica</span><b id="replica">–</b></li>
</ol>
</section>
<section>
<h2>Write a note</h2>
<form id="note">
<input id="text" name="text" maxlength="1000" required autocomplete="off" aria-label="Text of the note" placeholder="Text">
<button>Write</button>
</form>
<output id="told" for="text"></output>
</section>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
  return { html, headers: { 'Cache-Control': 'public, max-age=5', 'Content-Security-Policy': POLICY } };
}

module.exports = { answer };
