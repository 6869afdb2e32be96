import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchArchive } from '../fetch-archive.ts';
import { mayKnowUs, redacted } from './exchange.ts';

test('credentials go nowhere else, and never from an encrypted connection to an open one', () => {
  const rows: [string, string, boolean][] = [
    ['https://a/x', 'https://a/y', true],
    ['http://a:5000/x', 'http://a:5000/y', true],
    ['http://a:5000/x', 'https://a:5000/y', true],
    ['https://a/x', 'http://a/x', false],
    ['https://a:5000/x', 'http://a:5000/x', false],
    ['https://a/x', 'https://b/x', false],
    ['https://a/x', 'https://a:5000/x', false],
  ];
  for (const [asked, url, expected] of rows) {
    assert.equal(mayKnowUs(new URL(url), new URL(asked)), expected, `${asked} -> ${url}`);
  }
});

test('no message has the password of an address', async () => {
  assert.equal(redacted(new URL('http://a/x?y=z')), 'http://a/x?y=z');
  assert.equal(redacted(new URL('http://me@a/')), 'http://me@a/');
  assert.equal(redacted(new URL('http://me:secret@a/')), 'http://me:xxxxx@a/');
  // Nobody listens at port 1.
  const archive = fetchArchive(new URL('http://me:secret@127.0.0.1:1/a.tar'), {});
  await assert.rejects(archive.next(), (error: Error & { facts?: unknown }) => {
    assert.match(error.message, /^Get "http:\/\/me:xxxxx@127.0.0.1:1\/a.tar": .*connection refused$/);
    assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /secret/);
    return true;
  });
});
