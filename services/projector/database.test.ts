import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { Failure } from '#chassis/failures.ts';
import { DataRefused, translated } from './database.ts';

function databaseError(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('no', 2, 'error');
  error.code = code;
  return error;
}

const codeOf = (error: unknown) => (error instanceof Failure ? error.code : null);

test('what the database refuses is told from what it cannot do now, and from mistakes', () => {
  for (const code of ['22021', '22003', '23505', '23502', '54000', '21000']) {
    assert.ok(translated(databaseError(code)) instanceof DataRefused, code);
  }
  for (const code of ['57P01', '57014', '53300', '08006', '40001', '40P01', '55P03', '25P03', 'XX000']) {
    assert.equal(codeOf(translated(databaseError(code))), 'database_unavailable', code);
  }
  for (const code of ['28P01', '3D000', '42P01', '42501', '3F000']) {
    assert.equal(codeOf(translated(databaseError(code))), 'invalid_configuration', code);
  }
});

test('errors of the connection are outages, errors of ours are not', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  for (const error of [
    refused,
    new Error('Connection terminated unexpectedly'),
    new Error('Query read timeout'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Client has encountered a connection error and is not queryable'),
  ]) {
    assert.equal(codeOf(translated(error)), 'database_unavailable', error.message);
  }
  const bug = new TypeError('x is not a function');
  assert.equal(translated(bug), bug);
  const failure = new Failure('ledger_broken', 'no');
  assert.equal(translated(failure), failure);
});
