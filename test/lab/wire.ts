/** A connection to an engine on which requests are sent by hand, for what no HTTP client does. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { eventually } from './story.ts';

export class Wire {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  /** When the connection is closed altogether. */
  readonly ended: Promise<void>;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data as Buffer]);
    });
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.once('end', () => this.socket.end());
    this.socket.on('error', () => {});
  }

  /** Sends a request's head, with a body of JSON if there is one. */
  send(method: string, path: string, options: { upgrade?: boolean; body?: object } = {}): void {
    const body = options.body ? JSON.stringify(options.body) : '';
    const lines = [
      `${method} ${path} HTTP/1.1`,
      'Host: docker',
      ...(options.upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : []),
      ...(options.body ? ['Content-Type: application/json'] : []),
      `Content-Length: ${body.length}`,
    ];
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  get head(): string {
    return this.#received.toString('latin1').split('\r\n\r\n', 1)[0]!;
  }

  /** What came after the head. */
  get body(): string {
    return this.#received.subarray(this.head.length + 4).toString('latin1');
  }

  async sees(text: string): Promise<void> {
    await eventually(() => assert.ok(this.body.includes(text), `${this.head}\n${JSON.stringify(this.body)}`));
  }
}

/** What Docker's multiplexed streams carry; how it is cut into frames is nobody's business. */
export function demultiplex(bytes: string): { stdout: string; stderr: string } {
  const streams = { stdout: '', stderr: '' };
  const data = Buffer.from(bytes, 'latin1');
  for (let at = 0; at < data.length; ) {
    const length = data.readUInt32BE(at + 4);
    const name = data.readUInt32BE(at) === 0x02000000 ? 'stderr' : 'stdout';
    streams[name] += data.subarray(at + 8, at + 8 + length).toString('latin1');
    at += 8 + length;
  }
  return streams;
}
