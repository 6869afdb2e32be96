/**
 * A program that stands before a registry and has trouble with blobs, as the file named by its third argument says when
 * a blob is asked for: `pass`; `stall` sends half of it and waits for `pass`; `break` sends half of the first one and
 * closes the connection, after which it passes. Requests for blobs are written to standard output.
 *
 *     node slow-registry.ts PORT UPSTREAM_PORT MODE_FILE
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

const [, , port = '', upstreamPort = '', modeFile = ''] = process.argv;
const mode = (): string => readFileSync(modeFile, 'utf8').trim();

createServer((incoming, answer) => {
  const headers = { ...incoming.headers, host: `127.0.0.1:${upstreamPort}` };
  const { method, url } = incoming;
  const upstream = request(
    { host: '127.0.0.1', port: upstreamPort, method, path: url, headers },
    (response) => {
      const isBlob = method === 'GET' && /\/blobs\/sha256:/.test(url ?? '');
      if (isBlob) process.stdout.write(`blob ${url} ${incoming.headers.range ?? ''}\n`);
      answer.writeHead(response.statusCode ?? 500, response.headers);
      if (isBlob && Number(response.headers['content-length']) > 100_000) void sendBlob(response, answer);
      else response.pipe(answer);
    },
  );
  upstream.on('error', () => answer.destroy());
  incoming.pipe(upstream);
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));

async function sendBlob(response: IncomingMessage, answer: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const blob = Buffer.concat(chunks);
  const half = Math.floor(blob.length / 2);
  const trouble = mode();
  if (trouble === 'pass') {
    answer.end(blob);
    return;
  }
  answer.write(blob.subarray(0, half));
  if (trouble === 'break') {
    writeFileSync(modeFile, 'pass');
    setTimeout(() => answer.destroy(), 100);
    return;
  }
  const timer = setInterval(() => {
    if (!answer.destroyed && mode() !== 'pass') return;
    clearInterval(timer);
    answer.end(blob.subarray(half));
  }, 20);
}
