'use strict';

// The application over real HTTP, with a database in memory. Run by `node --test`.

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { create } = require('../server');
const { Balancers } = require('../balancers');

class Memory {
  constructor() {
    this.notes = [];
    this.gate = Promise.resolve();
    this.down = false;
  }
  async addNote(text) {
    await this.gate;
    if (this.down) throw Object.assign(new Error('secret'), { code: 'ECONNREFUSED' });
    this.notes.push(text);
    return { id: String(this.notes.length), host: 'db' };
  }
  async findNote(id) {
    const text = this.notes[Number(id) - 1];
    return { note: text === undefined ? undefined : { text }, host: 'db2' };
  }
  async answers() {
    return this.down ? { write: 'ECONNREFUSED', read: 'ECONNREFUSED' } : { write: 'up', read: 'up' };
  }
  async end() {}
}

async function up(t, database = new Memory()) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sample-app-'));
  const settings = { host: 'was1', release: '1', drainFile: path.join(dir, 'drain'), checks: 3, stopSeconds: 5 };
  const app = create(settings, database);
  await app.first;
  await new Promise((done) => app.server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    await app.stop();
    fs.rmSync(dir, { recursive: true });
  });
  const url = `http://127.0.0.1:${app.server.address().port}`;
  const post = (body, headers = { 'Content-Type': 'application/json' }) =>
    fetch(`${url}/api/notes`, { method: 'POST', headers, body });
  return { app, url, settings, database, post };
}

test('a note is written and read', async (t) => {
  const { url, post } = await up(t);
  const written = await post('{"text":"hello"}');
  assert.equal(written.status, 201);
  assert.deepEqual(await written.json(), { id: 1, host: 'was1', written_to: 'db' });
  const read = await fetch(`${url}/api/notes/1`);
  assert.deepEqual(await read.json(), { id: 1, text: 'hello', host: 'was1', read_from: 'db2' });
  assert.equal(read.headers.get('cache-control'), 'no-store');
  assert.equal(read.headers.get('x-app'), 'was1');
  assert.equal((await fetch(`${url}/api/notes/2`)).status, 404);
  const page = await fetch(url);
  assert.match(page.headers.get('cache-control'), /max-age=5/);
  assert.match(await page.text(), /release 1/);
});

test('bad input gets a reason', async (t) => {
  const { url, post } = await up(t);
  const cases = [
    [await post('{'), 400],
    [await post('[]'), 422],
    [await post('{"text":" "}'), 422],
    [await post('{"text":"a","id":1}'), 422],
    [await post(JSON.stringify({ text: 'a'.repeat(1001) })), 422],
    [await post('a'.repeat(20_000)), 413],
    [await post('text=a', { 'Content-Type': 'text/plain' }), 415],
    [await fetch(`${url}/api/notes`), 405],
    [await fetch(`${url}/api/notes/-1`), 400],
    [await fetch(`${url}/api/notes/1e3`), 400],
    [await fetch(`${url}/nothing`), 404],
  ];
  for (const [response, status] of cases) {
    assert.equal(response.status, status);
    assert.equal(typeof (await response.json()).error, 'string');
  }
});

test('without a database it says so and no more', async (t) => {
  const database = new Memory();
  database.down = true;
  const { url, post } = await up(t, database);
  assert.equal((await fetch(`${url}/health`)).status, 503);
  const written = await post('{"text":"hello"}');
  assert.equal(written.status, 503);
  assert.doesNotMatch(await written.text(), /secret/);
});

test('the drain file turns health', async (t) => {
  const { url, settings } = await up(t);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  fs.writeFileSync(settings.drainFile, '');
  const health = await fetch(`${url}/health`);
  assert.equal(health.status, 503);
  assert.equal((await health.json()).drained, true);
  assert.equal((await fetch(`${url}/api/whoami`)).headers.get('connection'), 'close');
});

test('stopping finishes what is being answered', async (t) => {
  const { app, post, database } = await up(t);
  let open;
  database.gate = new Promise((done) => (open = done));
  const written = post('{"text":"late"}');
  while (app.balancers.inFlight === 0) await new Promise((done) => setImmediate(done));
  const stopped = app.stop();
  open();
  assert.equal((await written).status, 201);
  await stopped;
});

test('a balancer knows after so many answers', () => {
  let now = 10_000;
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sample-app-'));
  const flag = path.join(dir, 'drain');
  const balancers = new Balancers(flag, 3, () => now);
  const ask = (address, up, times) => {
    for (let n = 0; n < times; n += 1) {
      now += 500;
      balancers.told(address, up);
    }
  };
  ask('::ffff:192.0.2.1', true, 3);
  ask('192.0.2.2', true, 1);
  ask('127.0.0.1', true, 9);
  now -= 4500;
  assert.deepEqual(balancers.known(), { up: ['192.0.2.1'], down: [], undecided: [] });
  fs.writeFileSync(flag, '');
  assert.equal(balancers.drained(), false);
  ask('192.0.2.1', false, 2);
  assert.equal(balancers.drained(), false);
  ask('192.0.2.1', false, 1);
  assert.equal(balancers.drained(), true);
  balancers.began();
  assert.equal(balancers.drained(), false);
  fs.rmSync(dir, { recursive: true });
});
