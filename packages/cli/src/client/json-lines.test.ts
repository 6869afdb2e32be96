import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { readProgress } from './json-lines.ts';

function read(...chunks: string[]): Promise<unknown[]> {
  return Array.fromAsync(readProgress(Readable.from(chunks.map((chunk) => Buffer.from(chunk)))));
}

test('messages may be cut anywhere and end without a newline', async () => {
  assert.deepEqual(await read('{"status":"a"}\r\n{"sta', 'tus":"b"}\n\n{"stream":"c"}'), [
    { status: 'a' },
    { status: 'b' },
    { stream: 'c' },
  ]);
});

test('an error in the stream is thrown with its sentence', async () => {
  await assert.rejects(
    read('{"status":"a"}\n{"errorDetail":{"message":"no space"},"error":"x"}\n'),
    /^Error: no space$/,
  );
  await assert.rejects(read('{"error":"broken"}'), /^Error: broken$/);
});
