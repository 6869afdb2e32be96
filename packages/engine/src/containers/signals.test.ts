import assert from 'node:assert/strict';
import { it } from 'node:test';
import { asksToEnd, parseSignal } from './signals.ts';

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

it('who sends KILL, the stop signal or one of its usual stand-ins wants an end', () => {
  const [kill, term, int, quit, hup, usr1] = ['KILL', 'TERM', 'INT', 'QUIT', 'HUP', 'USR1'].map(
    parseSignal,
  ) as number[];
  for (const signal of [kill, term, int, quit]) assert.equal(asksToEnd(signal!, term!), true, `${signal}`);
  for (const signal of [hup, usr1]) assert.equal(asksToEnd(signal!, term!), false, `${signal}`);
  for (const signal of [kill, quit]) assert.equal(asksToEnd(signal!, quit!), true, `${signal}`);
  for (const signal of [term, int, hup]) assert.equal(asksToEnd(signal!, quit!), false, `${signal}`);
});
