import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applyChanges, emptyImageConfig } from './config-change.ts';

const change = (...changes: string[]) => applyChanges(emptyImageConfig(), changes);

describe('HEALTHCHECK', () => {
  test('a line for the shell, with its times', () => {
    const { healthcheck } = change(
      'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=5 CMD wget -q localhost || exit 1',
    );
    assert.deepEqual(healthcheck, {
      Test: ['CMD-SHELL', 'wget -q localhost || exit 1'],
      Interval: 90e9,
      Timeout: 5e8,
      StartPeriod: 0,
      Retries: 5,
    });
  });

  test('a vector, and none', () => {
    assert.deepEqual(change('HEALTHCHECK CMD ["true", "x"]').healthcheck, { Test: ['CMD', 'true', 'x'] });
    assert.deepEqual(change('healthcheck none').healthcheck, { Test: ['NONE'] });
  });

  for (const [text, message] of [
    ['HEALTHCHECK', /at least one argument/],
    ['HEALTHCHECK CMD', /Missing command/],
    ['HEALTHCHECK NONE x', /takes no arguments/],
    ['HEALTHCHECK TCP 80', /Unknown type "TCP"/],
    ['HEALTHCHECK --often=1s CMD true', /unknown flag: --often/],
    ['HEALTHCHECK --interval=soon CMD true', /invalid value "soon" for --interval/],
    ['HEALTHCHECK --interval=5us CMD true', /less than 1ms/],
    ['HEALTHCHECK --retries=many CMD true', /--retries/],
  ] as const) {
    test(`${text} is refused`, () => assert.throws(() => change(text), message));
  }
});

describe('ONBUILD', () => {
  test('keeps instructions for later, in order', () => {
    assert.deepEqual(change('ONBUILD RUN make', 'ONBUILD COPY . /src').onBuild, ['RUN make', 'COPY . /src']);
  });

  for (const text of ['ONBUILD', 'ONBUILD ONBUILD RUN x', 'ONBUILD FROM x', 'ONBUILD maintainer me']) {
    test(`${text} is refused`, () => assert.throws(() => change(text), /ONBUILD/));
  }
});
