'use strict';

// Two pools: one to the primary for what is written, one to the replica for what is read.
// A pool needs no database to start with, and finds it again after it was away.

const mysql = require('mysql2/promise');

const PATIENCE_MS = 2000;

// The connection is gone, or never came to be: what was asked may be asked again.
const GONE = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ER_SERVER_SHUTDOWN',
  'ER_CON_COUNT_ERROR',
]);

const isGone = (error) => GONE.has(error.code) || error.fatal === true;

class Pool {
  constructor(server) {
    this.pool = mysql.createPool({
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: server.database,
      charset: 'utf8mb4',
      connectTimeout: PATIENCE_MS,
      connectionLimit: 10,
      maxIdle: 10,
      idleTimeout: 60_000,
      queueLimit: 200,
      enableKeepAlive: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    this.names = new WeakMap();
    // Whether the last attempt reached the server; a health check soon tells.
    this.up = false;
  }

  // Rows of a statement, and the name of the server that gave them.
  async query(sql, values) {
    let connection;
    let broken = false;
    try {
      connection = await this.pool.getConnection();
      let host = this.names.get(connection.connection);
      if (host === undefined) {
        const [names] = await connection.query({ sql: 'SELECT @@hostname AS host', timeout: PATIENCE_MS });
        host = names[0].host;
        this.names.set(connection.connection, host);
      }
      const [rows] = await connection.query({ sql, values, timeout: PATIENCE_MS });
      this.up = true;
      return { rows, host };
    } catch (error) {
      broken = isGone(error);
      if (broken) this.up = false;
      throw error;
    } finally {
      if (broken) connection?.destroy();
      else connection?.release();
    }
  }

  end() {
    return this.pool.end();
  }
}

class Database {
  constructor(settings) {
    this.write = new Pool(settings.write);
    this.read = new Pool(settings.read);
  }

  // A statement that changes something is sent once: whether a lost one arrived cannot be known.
  async addNote(text) {
    const { rows, host } = await this.write.query('INSERT INTO notes (text) VALUES (?)', [text]);
    return { id: String(rows.insertId), host };
  }

  async findNote(id) {
    const { rows, host } = await this.ask('SELECT text FROM notes WHERE id = ?', [id]);
    return { note: rows[0], host };
  }

  // From the replica; a connection that had died meanwhile is worth a second try, and a dead replica the primary. Nobody
  // waits for a replica that is known to be away.
  async ask(sql, values) {
    let last;
    for (const pool of [this.read, this.read, this.write]) {
      if (pool === this.read && !pool.up) continue;
      try {
        return await pool.query(sql, values);
      } catch (error) {
        if (!isGone(error)) throw error;
        last = error;
      }
    }
    throw last;
  }

  // Which of the two answer.
  async answers() {
    const probe = (pool) =>
      pool.query('SELECT 1').then(
        () => 'up',
        (error) => error.code || 'down',
      );
    const [write, read] = await Promise.all([probe(this.write), probe(this.read)]);
    return { write, read };
  }

  async end() {
    await Promise.allSettled([this.write.end(), this.read.end()]);
  }
}

module.exports = { Database, isGone };
