import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { ConnectionError } from './daemon-error.ts';
import { copyOutput } from './output.ts';

function frame(stream: number, payload: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** A receiver that takes a while for every chunk. */
class SlowReceiver extends Writable {
  received = '';
  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.received += chunk.toString();
    setImmediate(done);
  }
}

async function copy(chunks: Buffer[], framed: boolean): Promise<{ stdout: string; stderr: string }> {
  const stdout = new SlowReceiver();
  const stderr = new SlowReceiver();
  await copyOutput(Readable.from(chunks), framed, { stdout, stderr });
  return { stdout: stdout.received, stderr: stderr.received };
}

test('framed output is told apart, also when the receivers are slow', async () => {
  const chunks = [frame(1, 'a'), frame(2, 'b'), frame(1, 'c'), frame(2, 'd'), frame(1, 'e')];
  assert.deepEqual(await copy(chunks, true), { stdout: 'ace', stderr: 'bd' });
});

test('output of a terminal is passed on as it is', async () => {
  assert.deepEqual(await copy([Buffer.from('raw\r\n')], false), { stdout: 'raw\r\n', stderr: '' });
});

test('output that stops inside a frame is an error', async () => {
  await assert.rejects(copy([frame(1, 'abc').subarray(0, 9)], true), /in the middle of the output/);
});

test('what came before a broken connection is passed on', async () => {
  const source = new PassThrough();
  const stdout = new SlowReceiver();
  const done = copyOutput(source, true, { stdout, stderr: new SlowReceiver() });
  source.write(frame(1, 'last'));
  setTimeout(() => source.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })), 5);
  await assert.rejects(done, ConnectionError);
  assert.equal(stdout.received, 'last');
});

test('a receiver that has gone does not hold the copy up', async () => {
  const stdout = new SlowReceiver();
  stdout.destroy();
  await copyOutput(Readable.from([frame(1, 'x')]), true, { stdout, stderr: stdout });
  assert.equal(stdout.received, '');
});
