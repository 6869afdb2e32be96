import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { closeFd, openInetSocket } from '@seaway/linux';
import { RelayLoop } from './relay-loop.ts';
import { IDLE_MS, UdpRelay } from './udp-relay.ts';

const server = createSocket('udp4');
const client = createSocket('udp4');
server.on('message', (data, { port, address }) => server.send(`${data}, ${port}`, port, address));
for (const socket of [server, client]) {
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
}
const published = openInetSocket('udp', 'ipv4', '127.0.0.1');
const loop = new RelayLoop();
const target = { address: '127.0.0.1', port: server.address().port };
const relay = new UdpRelay({ slot: 1, protocol: 'udp', family: 'ipv4', fd: published.fd, target }, loop);

after(() => {
  closeFd(published.fd);
  server.close();
  client.close();
});

/** Asks through the relay, whose loop turns here. */
async function ask(text: string): Promise<string> {
  const answer = once(client, 'message');
  const turning = setInterval(() => loop.turn(0), 1);
  client.send(text, published.port, '127.0.0.1');
  const [data] = await answer.finally(() => clearInterval(turning));
  return String(data);
}

const descriptors = () => readdirSync('/proc/self/fd').length;

test('a client that is silent for long is forgotten, and known anew when it speaks', async () => {
  const before = descriptors();
  const first = await ask('hello');
  assert.equal(descriptors(), before + 1);
  relay.sweep(performance.now() + IDLE_MS - 1000);
  assert.equal(await ask('hello'), first, 'not yet');
  relay.sweep(performance.now() + IDLE_MS);
  assert.equal(descriptors(), before);
  assert.notEqual(await ask('hello'), first);
  relay.stop();
  assert.equal(descriptors(), before);
});
