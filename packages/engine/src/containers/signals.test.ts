import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseSignal } from './signals.ts';

it('signals are read by name, with or without SIG, in any case, and by number', () => {
  const expected: Record<string, number> = {
    SIGTERM: 15,
    term: 15,
    Kill: 9,
    '9': 9,
    SIGUSR1: 10,
    RTMIN: 34,
    'SIGRTMIN+3': 37,
    'rtmax-2': 62,
    '64': 64,
  };
  for (const [text, number] of Object.entries(expected)) assert.equal(parseSignal(text), number, text);
});

it('what is no signal is refused by name', () => {
  for (const text of ['', 'ZZ', '0', '65', '-1', 'SIG', 'RTMIN+99', '9x']) {
    assert.throws(() => parseSignal(text), { kind: 'invalid', message: `Invalid signal: ${text}` });
  }
});
