import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type LogEntry, parseLogLine, parseTimestampNs, type ReadLogsOptions, readLogs } from './logs.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-test-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const both = { stdout: true, stderr: true };
let files = 0;

async function logFile(content: string | Uint8Array): Promise<string> {
  files += 1;
  const path = join(folder, `log-${files}`);
  await writeFile(path, content);
  return path;
}

function at(second: number): string {
  return `2026-08-01T12:00:${String(second).padStart(2, '0')}.123456789+00:00`;
}

async function read(path: string, options: Partial<ReadLogsOptions> = {}): Promise<string[]> {
  const entries: string[] = [];
  for await (const entry of readLogs(path, { ...both, ...options })) entries.push(show(entry));
  return entries;
}

function show(entry: LogEntry): string {
  return `${entry.stream}:${Buffer.from(entry.data).toString('latin1')}`;
}

test('a line gives stream, UTC time, completeness and its bytes', () => {
  const line = parseLogLine(Buffer.from('2026-08-01T14:00:00.5+02:00 stderr P a b '));
  assert.deepEqual(
    { ...line, data: Buffer.from(line!.data).toString() },
    { stream: 'stderr', timestamp: '2026-08-01T12:00:00.500000000Z', isPartial: true, data: 'a b ' },
  );
});

test('an empty line of output is kept', () => {
  for (const text of [`${at(1)} stdout F `, `${at(1)} stdout F`]) {
    assert.equal(parseLogLine(Buffer.from(text))?.data.length, 0);
  }
});

test('what is no log line is not taken for one', () => {
  const broken = ['', 'x', `${at(1)} stdout`, `${at(1)} stdin F x`, `${at(1)} stdout Fx`, 'now stdout F x'];
  for (const text of [...broken, `${at(1)} stdout X y`]) {
    assert.equal(parseLogLine(Buffer.from(text)), undefined, text);
  }
});

test('times keep their nanoseconds', () => {
  assert.equal(parseTimestampNs('1970-01-01T00:00:01.000000001Z'), 1_000_000_001n);
  assert.equal(parseTimestampNs('1970-01-01T01:00:00+01:00'), 0n);
  assert.equal(parseTimestampNs('yesterday'), undefined);
});

test('parts are joined without newlines and complete lines end in one', async () => {
  const path = await logFile(
    `${at(1)} stdout P he\n${at(1)} stdout F llo\n${at(2)} stderr F oops\n${at(3)} stdout F \n${at(4)} stdout P $ \n`,
  );
  assert.deepEqual(await read(path), [
    'stdout:he',
    'stdout:llo\n',
    'stderr:oops\n',
    'stdout:\n',
    'stdout:$ ',
  ]);
});

test('every byte but the newline survives', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x0a));
  const path = await logFile(Buffer.concat([Buffer.from(`${at(1)} stdout F `), bytes, Buffer.from('\n')]));
  assert.deepEqual(await read(path), [`stdout:${bytes.toString('latin1')}\n`]);
});

test('streams are chosen', async () => {
  const path = await logFile(`${at(1)} stdout F a\n${at(2)} stderr F b\n`);
  assert.deepEqual(await read(path, { stderr: false }), ['stdout:a\n']);
  assert.deepEqual(await read(path, { stdout: false }), ['stderr:b\n']);
});

test('since and until are inclusive and exact to the nanosecond', async () => {
  const path = await logFile([1, 2, 3, 4].map((second) => `${at(second)} stdout F ${second}\n`).join(''));
  const two = parseTimestampNs(at(2))!;
  const three = parseTimestampNs(at(3))!;
  assert.deepEqual(await read(path, { sinceNs: two, untilNs: three }), ['stdout:2\n', 'stdout:3\n']);
  assert.deepEqual(await read(path, { sinceNs: two + 1n, untilNs: three - 1n }), []);
});

test('a log that does not exist is empty', async () => {
  assert.deepEqual(await read(join(folder, 'absent')), []);
  assert.deepEqual(await read(join(folder, 'absent'), { tail: 5 }), []);
});

test('a half written last line waits for its newline', async () => {
  assert.deepEqual(await read(await logFile(`${at(1)} stdout F a\n${at(2)} stdout F b`)), ['stdout:a\n']);
});

test('tail gives the last lines, counting parts with their completion as one', async () => {
  const path = await logFile(
    [
      `${at(1)} stdout F one`,
      `${at(2)} stdout P tw`,
      `${at(2)} stderr F between`,
      `${at(2)} stdout P o`,
      `${at(3)} stdout F !`,
      `${at(4)} stdout P open`,
      '',
    ].join('\n'),
  );
  assert.deepEqual(await read(path, { tail: 0 }), []);
  assert.deepEqual(await read(path, { tail: 1 }), ['stdout:open']);
  assert.deepEqual(await read(path, { tail: 2, stderr: false }), [
    'stdout:tw',
    'stdout:o',
    'stdout:!\n',
    'stdout:open',
  ]);
  assert.equal((await read(path, { tail: 100 })).length, 6);
});

test('tail over many blocks finds the same lines as reading everything', async () => {
  const lines = Array.from(
    { length: 3000 },
    (_, n) => `${at(n % 60)} ${n % 3 === 0 ? 'stderr' : 'stdout'} F ${n} ${'x'.repeat(n % 200)}\n`,
  );
  lines.splice(1500, 0, `${at(0)} stdout F ${'long'.repeat(50_000)}\n`);
  const path = await logFile(lines.join(''));
  const all = await read(path);
  assert.equal(all.length, 3001);
  for (const tail of [1, 7, 1000, 1501, 1502, 3000, 3001, 5000]) {
    assert.deepEqual(await read(path, { tail }), all.slice(-tail), `tail ${tail}`);
  }
  const errors = all.filter((text) => text.startsWith('stderr'));
  assert.deepEqual(await read(path, { stdout: false, tail: 20 }), errors.slice(-20));
});

test('following hands out what is written later and ends when the container has ended', {
  timeout: 10_000,
}, async () => {
  const path = await logFile(`${at(1)} stdout F first\n`);
  const ended = Promise.withResolvers<void>();
  const follow = { signal: new AbortController().signal, ended: ended.promise };
  const seen: string[] = [];
  for await (const entry of readLogs(path, { ...both, follow })) {
    seen.push(show(entry));
    if (seen.length === 1) await appendFile(path, `${at(2)} stdout F sec`);
    if (seen.length === 1) setTimeout(() => void appendFile(path, `ond\n`), 20);
    if (seen.length === 2) {
      // Written just before the end is announced: must still be read.
      await appendFile(path, `${at(3)} stderr F last\n`);
      ended.resolve();
    }
  }
  assert.deepEqual(seen, ['stdout:first\n', 'stdout:second\n', 'stderr:last\n']);
});

test('following ends when the reader goes away', { timeout: 10_000 }, async () => {
  const path = await logFile(`${at(1)} stdout F first\n`);
  const reader = new AbortController();
  const follow = { signal: reader.signal, ended: new Promise<void>(() => {}) };
  const seen: string[] = [];
  setTimeout(() => reader.abort(), 30);
  for await (const entry of readLogs(path, { ...both, follow })) seen.push(show(entry));
  assert.deepEqual(seen, ['stdout:first\n']);
});

test('following with tail starts at the tail', { timeout: 10_000 }, async () => {
  const path = await logFile(`${at(1)} stdout F a\n${at(2)} stdout F b\n`);
  const follow = { signal: new AbortController().signal, ended: Promise.resolve() };
  assert.deepEqual(await read(path, { tail: 1, follow }), ['stdout:b\n']);
});

test('older parts of a rotated log come first', async () => {
  const path = await logFile(`${at(5)} stdout F five\n${at(6)} stdout F six\n`);
  await writeFile(`${path}.1`, `${at(3)} stdout F three\n${at(4)} stderr F four\n`);
  await writeFile(`${path}.2`, `${at(1)} stdout F one\n${at(2)} stdout F two\n`);
  const all = [
    'stdout:one\n',
    'stdout:two\n',
    'stdout:three\n',
    'stderr:four\n',
    'stdout:five\n',
    'stdout:six\n',
  ];
  assert.deepEqual(await read(path), all);
  for (let tail = 0; tail <= 7; tail += 1)
    assert.deepEqual(await read(path, { tail }), tail === 0 ? [] : all.slice(-tail));
  assert.deepEqual(await read(path, { tail: 3, stderr: false }), [
    'stdout:three\n',
    'stdout:five\n',
    'stdout:six\n',
  ]);
});

test('a follower goes on where the log was rotated', async () => {
  const path = await logFile(`${at(1)} stdout F one\n`);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const signal = new AbortController().signal;
  const seen: string[] = [];
  const reading = (async () => {
    for await (const entry of readLogs(path, { ...both, follow: { signal, ended } })) seen.push(show(entry));
  })();
  const sees = async (count: number) => {
    for (const deadline = performance.now() + 5000; seen.length < count; ) {
      assert.ok(performance.now() < deadline, `only ${seen.length} entries`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await sees(1);
  for (const [number, word] of ['two', 'three', 'four'].entries()) {
    await appendFile(path, `${at(2)} stdout F before ${word}\n`);
    await rename(path, `${path}.${number + 1}`);
    await writeFile(path, `${at(3)} stdout F ${word}\n`);
    await sees(1 + 2 * (number + 1));
  }
  await appendFile(path, `${at(4)} stdout F last\n`);
  end();
  await reading;
  assert.deepEqual(
    seen.map((entry) => entry.slice('stdout:'.length, -1)),
    ['one', 'before two', 'two', 'before three', 'three', 'before four', 'four', 'last'],
  );
});

test('the last lines of a large log are found without reading all of it', async () => {
  const line = `${at(1)} stdout F ${'x'.repeat(1000)}\n`;
  const path = await logFile(line.repeat(100_000));
  await appendFile(path, `${at(2)} stdout F end\n`);
  const startedAt = performance.now();
  assert.deepEqual(await read(path, { tail: 1 }), ['stdout:end\n']);
  const took = performance.now() - startedAt;
  assert.ok(took < 100, `it took ${took} ms`);
});
