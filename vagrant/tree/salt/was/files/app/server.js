'use strict';

// The application: a page, a small API over one table, and a health URL for balancers.

const http = require('node:http');

const { Balancers } = require('./balancers');
const { Database, isGone } = require('./database');
const page = require('./page');

const MAX_BODY = 16 * 1024;
const MAX_TEXT = 1000;
const PROBE_MS = 1000;

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const log = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

function create(settings, database = new Database(settings)) {
  const balancers = new Balancers(settings.drainFile, settings.checks);
  let stopping = false;
  let answers = { write: 'unknown', read: 'unknown' };

  // What the health URL says of the database is never older than a second or two, and asking costs it nothing.
  let timer;
  async function probe() {
    const now = await database.answers();
    if (now.write !== answers.write || now.read !== answers.read) log('database', now);
    answers = now;
    if (!stopping) timer = setTimeout(probe, PROBE_MS).unref();
  }
  const first = probe();

  const reachable = () => answers.write === 'up' || answers.read === 'up';

  function health(request) {
    const draining = stopping || balancers.draining;
    const up = !draining && reachable();
    balancers.told(request.socket.remoteAddress || '', up);
    const status = draining ? 'draining' : up ? 'up' : 'no database';
    const body = {
      status,
      host: settings.host,
      release: settings.release,
      database: answers,
      in_flight: balancers.inFlight,
      balancers: balancers.known(),
      drained: balancers.drained(),
    };
    return { status: up ? 200 : 503, body };
  }

  async function route(request) {
    const { pathname } = new URL(request.url, 'http://app');
    const allow = (...methods) => {
      if (!methods.includes(request.method)) {
        throw new Refusal(405, `only ${methods.join(', ')} is possible here`, { Allow: methods.join(', ') });
      }
    };
    if (pathname === '/') {
      allow('GET', 'HEAD');
      return page.answer(settings);
    }
    if (pathname === '/api/whoami') {
      allow('GET', 'HEAD');
      return { body: { host: settings.host, release: settings.release } };
    }
    if (pathname === '/api/notes') {
      allow('POST');
      const text = textOf(await json(request));
      const { id, host } = await database.addNote(text);
      return {
        status: 201,
        headers: { Location: `/api/notes/${id}` },
        body: { id: Number(id), host: settings.host, written_to: host },
      };
    }
    const note = /^\/api\/notes\/([^/]+)$/.exec(pathname);
    if (note) {
      allow('GET', 'HEAD');
      if (!/^[1-9][0-9]{0,14}$/.test(note[1])) throw new Refusal(400, 'the number of a note is a whole number from 1');
      const { note: found, host } = await database.findNote(note[1]);
      if (!found) throw new Refusal(404, `there is no note ${note[1]} (yet)`);
      return { body: { id: Number(note[1]), text: found.text, host: settings.host, read_from: host } };
    }
    throw new Refusal(404, 'there is nothing at this address');
  }

  async function answer(request, response) {
    let result;
    try {
      result = request.url === '/health' ? health(request) : await route(request);
    } catch (error) {
      result = failure(error);
    }
    send(request, response, result);
  }

  function failure(error) {
    if (error instanceof Refusal) {
      return { status: error.status, headers: error.headers, body: { error: error.message } };
    }
    // The code names the trouble; the message could hold what a user sent.
    log('failed', { code: error.code || error.name, state: error.sqlState });
    if (isGone(error)) {
      return { status: 503, headers: { 'Retry-After': '1' }, body: { error: 'the database does not answer' } };
    }
    return { status: 500, body: { error: 'something went wrong here' } };
  }

  function send(request, response, { status = 200, headers = {}, body, html }) {
    const bytes = Buffer.from(html ?? `${JSON.stringify(body)}\n`);
    if (stopping || balancers.draining || !request.complete) response.setHeader('Connection', 'close');
    response.writeHead(status, {
      'Content-Type': html === undefined ? 'application/json' : 'text/html; charset=utf-8',
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
      'X-App': settings.host,
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  const server = http.createServer((request, response) => {
    if (request.url !== '/health') {
      balancers.began();
      response.once('close', () => balancers.ended());
    }
    answer(request, response).catch((error) => {
      log('failed', { code: error.code || error.name });
      response.destroy();
    });
  });
  // Longer than any balancer keeps an idle connection: it is the one to close it, so no request meets a closing door.
  server.keepAliveTimeout = 75_000;
  server.requestTimeout = 30_000;
  server.headersTimeout = 15_000;

  // Finishes what is being answered, closes what is idle.
  async function stop() {
    if (stopping) return;
    stopping = true;
    log('stopping', { in_flight: balancers.inFlight });
    clearTimeout(timer);
    const closed = new Promise((done) => server.close(done));
    server.closeIdleConnections();
    let late;
    const limit = new Promise((done) => {
      late = setTimeout(done, settings.stopSeconds * 1000, 'late');
    });
    if ((await Promise.race([closed, limit])) === 'late') {
      log('gave up waiting', { in_flight: balancers.inFlight });
      server.closeAllConnections();
    }
    clearTimeout(late);
    await database.end();
    log('stopped');
  }

  return { server, stop, first, balancers };
}

function textOf(given) {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw new Refusal(422, 'a JSON object with `text` is needed');
  }
  const more = Object.keys(given).filter((key) => key !== 'text');
  if (more.length > 0) throw new Refusal(422, `only \`text\` is known, not ${more.map((key) => `\`${key}\``).join(', ')}`);
  if (typeof given.text !== 'string' || given.text.trim() === '') throw new Refusal(422, '`text` must be a text that is not empty');
  if ([...given.text].length > MAX_TEXT) throw new Refusal(422, `\`text\` may have ${MAX_TEXT} characters`);
  return given.text;
}

async function json(request) {
  const type = (request.headers['content-type'] || '').split(';')[0].trim().toLowerCase();
  if (type !== 'application/json') throw new Refusal(415, 'send `Content-Type: application/json`');
  const tooLong = new Refusal(413, `a body may have ${MAX_BODY} bytes`);
  if (Number(request.headers['content-length']) > MAX_BODY) throw tooLong;
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MAX_BODY) throw tooLong;
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new Refusal(400, 'the body is no JSON');
  }
}

module.exports = { create };

if (require.main === module) {
  const settings = require('./settings');
  const app = create(settings);
  const stop = () => app.stop().then(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  app.server.on('error', (error) => {
    log('cannot listen', { code: error.code, port: settings.port });
    process.exit(1);
  });
  app.server.listen(settings.port, settings.address, () => {
    log('listening', { port: settings.port, release: settings.release });
  });
}
