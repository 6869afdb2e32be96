import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameDecoder, type StreamName } from './frames.ts';

function frame(stream: number, payload: string): Buffer {
  const data = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

/** Decodes chunks and joins what belongs to one stream. */
function decode(chunks: readonly Buffer[]): {
  text: Partial<Record<StreamName, string>>;
  incomplete: boolean;
} {
  const decoder = new FrameDecoder();
  const text: Partial<Record<StreamName, string>> = {};
  for (const chunk of chunks) {
    for (const { stream, data } of decoder.push(chunk)) text[stream] = (text[stream] ?? '') + data.toString();
  }
  return { text, incomplete: decoder.isIncomplete };
}

const conversation = Buffer.concat([
  frame(1, 'out1 '),
  frame(2, 'err'),
  frame(1, ''),
  frame(1, 'out2'),
  frame(0, 'in'),
]);
const decoded = { text: { stdout: 'out1 out2', stderr: 'err', stdin: 'in' }, incomplete: false };

test('frames in one chunk are told apart', () => {
  assert.deepEqual(decode([conversation]), decoded);
});

test('frames may be cut anywhere, also into three', () => {
  for (let first = 0; first <= conversation.length; first += 1) {
    for (let second = first; second <= conversation.length; second += 1) {
      const chunks = [
        conversation.subarray(0, first),
        conversation.subarray(first, second),
        conversation.subarray(second),
      ];
      assert.deepEqual(decode(chunks), decoded);
    }
  }
});

test('single bytes are enough', () => {
  assert.deepEqual(decode([...conversation].map((byte) => Buffer.of(byte))), decoded);
});

test('a payload is passed on before its frame is complete', () => {
  const decoder = new FrameDecoder();
  assert.deepEqual(decoder.push(frame(1, 'hello').subarray(0, 10)), [
    { stream: 'stdout', data: Buffer.from('he') },
  ]);
  assert.equal(decoder.isIncomplete, true);
});

test('a stream that stops inside a frame is incomplete, at every length', () => {
  const one = frame(2, 'abc');
  for (let length = 1; length < one.length; length += 1) {
    assert.equal(decode([one.subarray(0, length)]).incomplete, true, `${length} bytes`);
  }
  assert.equal(decode([one]).incomplete, false);
  assert.equal(decode([]).incomplete, false);
});

test('bytes that are no frame are refused', () => {
  assert.throws(() => decode([Buffer.from('plain text')]), /not framed/);
  assert.throws(() => decode([Buffer.from([1, 0, 1, 0, 0, 0, 0, 0])]), /not framed/);
});
