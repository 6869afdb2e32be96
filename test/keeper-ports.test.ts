/**
 * Ports that the keeper holds, without a daemon: this file plays the daemon in a network of its own, and other programs of
 * the host.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket as createUdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, isProcessAlive, newAddress, openInetSocket, RouteSocket, setLink } from '@seaway/linux';
import { EngineError } from '../packages/engine/src/base/errors.ts';
import type { Log } from '../packages/engine/src/base/log.ts';
import { KeeperClient } from '../packages/engine/src/keeper/keeper-client.ts';
import {
  type HeldPort,
  KEEPER_VERSION,
  type KeeperState,
  type PortFailure,
  type PortHolder,
} from '../packages/engine/src/keeper/protocol.ts';
import { isolate } from '../packages/linux/src/fixtures/private-host.ts';
import {
  canTake,
  leaveOldConnection,
  newUdpClient,
  readAll,
  sendDatagrams,
  tryConnecting,
  waitingDatagrams,
} from './lab/host-ports.ts';
import { eventually } from './lab/story.ts';

const host = isolate();
{
  using route = RouteSocket.open();
  route.execute([setLink({ name: 'lo' }, { up: true })]);
}

/** What was complained of, as text. */
const complaints: string[] = [];
const write = (fields: object, message: string) => complaints.push(`${message} ${JSON.stringify(fields)}`);
const log: Log = { debug: () => {}, info: write, warn: write, error: write, child: () => log };

/** What a daemon would have in its store. */
class Daemon {
  readonly folder: string;
  readonly holders = new Map<string, PortHolder>();
  readonly reported: PortFailure[] = [];
  readonly version: number;
  client: KeeperClient;

  constructor(name: string, version = KEEPER_VERSION) {
    this.folder = join(host.folder, name);
    this.version = version;
    this.client = this.connect();
    daemons.push(this);
  }

  connect(): KeeperClient {
    this.client = new KeeperClient({
      folder: this.folder,
      log,
      version: this.version,
      state: (): KeeperState => ({ networks: [], sandboxes: [], holders: [...this.holders.values()] }),
      onPortFailures: (failures) => this.reported.push(...failures),
    });
    return this.client;
  }

  /** Commits first, as the engine does. */
  hold(id: string, ...ports: HeldPort[]): Promise<readonly PortFailure[]> {
    this.holders.set(id, { id, ports });
    return this.client.hold({ id, ports });
  }

  async letGo(...ids: string[]): Promise<void> {
    for (const id of ids) this.holders.delete(id);
    for (const id of ids) await this.client.letGo(id);
  }
}

const daemons: Daemon[] = [];

after(async () => {
  for (const daemon of daemons) {
    // Also where a test has failed on its way: whoever comes and knows of nothing makes the keeper end.
    daemon.holders.clear();
    await daemon.client.close();
    await daemon.connect().restore();
    const { pid } = daemon.client;
    await daemon.client.close();
    if (pid !== undefined) await eventually(() => assert.equal(isProcessAlive(pid), false));
  }
  host[Symbol.dispose]();
});

const main = new Daemon('main');

const port = (protocol: HeldPort['protocol'], address: string, number: number): HeldPort => ({
  protocol,
  address,
  port: number,
});

describe('a held port', () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    test(`of ${protocol} can be bound by nobody else, and by anybody as soon as it is let go`, async () => {
      assert.deepEqual(await main.hold('web', port(protocol, '0.0.0.0', 8080)), []);
      assert.equal(await canTake(protocol, '0.0.0.0', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '127.0.0.1', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '::', 8080), 'yes', 'IPv6 has ports of its own');
      assert.equal(await canTake(protocol, '0.0.0.0', 8081), 'yes');
      await main.letGo('web');
      assert.equal(await canTake(protocol, '0.0.0.0', 8080), 'yes');
    });

    test(`of ${protocol} over IPv6 leaves IPv4 alone`, async () => {
      assert.deepEqual(await main.hold('web', port(protocol, '::', 8080)), []);
      assert.equal(await canTake(protocol, '::', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '::1', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '0.0.0.0', 8080), 'yes');
      assert.deepEqual(await main.hold('web', port(protocol, '::1', 8080)), []);
      assert.equal(await canTake(protocol, '::1', 8080), 'EADDRINUSE');
      await main.letGo('web');
      assert.equal(await canTake(protocol, '::', 8080), 'yes');
    });

    test(`of ${protocol} at one address leaves other addresses alone, but not all of them at once`, async () => {
      assert.deepEqual(await main.hold('web', port(protocol, '127.0.0.2', 8080)), []);
      assert.equal(await canTake(protocol, '127.0.0.2', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '0.0.0.0', 8080), 'EADDRINUSE');
      assert.equal(await canTake(protocol, '127.0.0.3', 8080), 'yes');
      assert.deepEqual(await main.hold('db', port(protocol, '127.0.0.3', 8080)), []);
      await main.letGo('web', 'db');
    });
  }

  test('of TCP refuses connections, of UDP drops datagrams without keeping any', async () => {
    const held = [port('tcp', '0.0.0.0', 8080), port('udp', '0.0.0.0', 8080), port('udp', '::', 8080)];
    assert.deepEqual(await main.hold('web', ...held), []);
    assert.equal(await tryConnecting('127.0.0.1', 8080), 'ECONNREFUSED');
    await sendDatagrams('127.0.0.1', 8080, 100);
    await sendDatagrams('::1', 8080, 100);
    assert.deepEqual(waitingDatagrams(8080), [0, 0]);
    await main.letGo('web');
  });

  test('is to be had though old connections of a server linger there', async () => {
    await leaveOldConnection('127.0.0.1', 8090);
    const outcome = await canTake('tcp', '127.0.0.1', 8090);
    assert.equal(outcome, 'EADDRINUSE alone, shared yes', 'they do linger');
    assert.deepEqual(await main.hold('web', port('tcp', '0.0.0.0', 8090)), []);
    assert.equal(await canTake('tcp', '0.0.0.0', 8090), 'EADDRINUSE');
    await main.letGo('web');
  });

  test('of a protocol that the kernel lacks cannot be taken by anybody anyway', async () => {
    const held = [port('sctp', '0.0.0.0', 8080), port('sctp', '::', 8080), port('tcp', '::', 8080)];
    assert.deepEqual(await main.hold('web', ...held), []);
    assert.equal(await canTake('tcp', '::', 8080), 'EADDRINUSE');
    await main.letGo('web');
  });
});

describe('ports that cannot be had', () => {
  test('are named with the reason, and the others are held', async () => {
    const taken = openInetSocket('tcp', 'ipv4', '127.0.0.1', 8080);
    const good = port('udp', '0.0.0.0', 8080);
    const used = port('tcp', '0.0.0.0', 8080);
    const elsewhere = port('tcp', '198.51.100.7', 8081);
    const nonsense = port('tcp', 'nowhere', 8082);
    try {
      assert.deepEqual(await main.hold('web', used, good, elsewhere, nonsense), [
        { holder: 'web', port: used, code: 'EADDRINUSE' },
        { holder: 'web', port: elsewhere, code: 'EADDRNOTAVAIL' },
        { holder: 'web', port: nonsense, code: 'EINVAL' },
      ]);
      assert.equal(await canTake('udp', '0.0.0.0', 8080), 'EADDRINUSE');
    } finally {
      closeFd(taken.fd);
    }
    assert.deepEqual(await main.hold('web', used, good), [], 'the port has become free');
    await main.letGo('web');
  });

  test('are also those of other containers', async () => {
    const wanted = port('tcp', '0.0.0.0', 8080);
    assert.deepEqual(await main.hold('web', wanted), []);
    assert.deepEqual(await main.hold('web2', port('tcp', '127.0.0.1', 8080), port('udp', '0.0.0.0', 8080)), [
      { holder: 'web2', port: port('tcp', '127.0.0.1', 8080), code: 'EADDRINUSE' },
    ]);
    await main.letGo('web');
    assert.deepEqual(await main.hold('web2', wanted), []);
    await main.letGo('web2');
  });

  test('because no keeper can be started, are an error', async () => {
    const blocked = new Daemon('blocked');
    writeFileSync(blocked.folder, '');
    await assert.rejects(blocked.hold('web', port('tcp', '0.0.0.0', 8080)), (error) => {
      assert.ok(error instanceof EngineError);
      assert.equal(error.code, 'ports-not-held');
      assert.match(error.message, /container web .*cannot be started/);
      return true;
    });
    blocked.holders.clear();
  });
});

describe('holding other ports', () => {
  test('lets go of those that are no longer named, and keeps the sockets of the others', async () => {
    const [first, second, third] = [8080, 8081, 8082].map((number) => port('tcp', '0.0.0.0', number)) as [
      HeldPort,
      HeldPort,
      HeldPort,
    ];
    await main.hold('web', first, second);
    const before = sockets(main.client.pid!);
    await main.hold('web', second, third);
    const after = sockets(main.client.pid!);
    assert.equal(after.filter((socket) => before.includes(socket)).length, before.length - 1);
    assert.equal(after.length, before.length);
    assert.equal(await canTake('tcp', '0.0.0.0', 8080), 'yes');
    for (const number of [8081, 8082]) assert.equal(await canTake('tcp', '0.0.0.0', number), 'EADDRINUSE');
    await main.hold('web');
    assert.equal(sockets(main.client.pid!).length, before.length - 2);
    for (const number of [8081, 8082]) assert.equal(await canTake('tcp', '0.0.0.0', number), 'yes');
    await main.letGo('web');
  });

  test('in one change, ports go from one container to another', async () => {
    const wanted = port('udp', '::', 8080);
    await main.hold('web', wanted);
    await main.client.apply({ dropHolders: ['web'], holders: [{ id: 'db', ports: [wanted] }] });
    assert.equal(await canTake('udp', '::', 8080), 'EADDRINUSE');
    await main.letGo('web');
    assert.equal(await canTake('udp', '::', 8080), 'EADDRINUSE');
    await main.letGo('db');
    assert.equal(await canTake('udp', '::', 8080), 'yes');
  });
});

describe('ports stay held', () => {
  const held = [port('tcp', '0.0.0.0', 8080), port('tcp', '::', 8080), port('udp', '0.0.0.0', 8080)];
  const areHeld = async () => {
    for (const { protocol, address } of held) {
      assert.equal(await canTake(protocol as 'tcp' | 'udp', address, 8080), 'EADDRINUSE');
    }
  };

  test('when the daemon goes, and are let go when it comes back and has forgotten them', async () => {
    await main.hold('web', ...held);
    await main.hold('gone', port('tcp', '0.0.0.0', 8081));
    const pid = main.client.pid!;
    await main.client.close();
    await areHeld();
    main.holders.delete('gone');
    await main.connect().restore();
    assert.equal(main.client.pid, pid, 'it is the same keeper');
    await areHeld();
    assert.equal(await canTake('tcp', '0.0.0.0', 8081), 'yes');
    assert.deepEqual(main.reported, []);
  });

  test('but for a moment when the keeper is killed', async () => {
    const pid = main.client.pid!;
    process.kill(pid, 'SIGKILL');
    await eventually(() => assert.notEqual(main.client.pid ?? pid, pid));
    await areHeld();
    assert.deepEqual(main.reported, []);
  });

  test('when the keeper was killed while no daemon ran, as far as nobody else has taken them', async () => {
    const pid = main.client.pid!;
    await main.client.close();
    process.kill(pid, 'SIGKILL');
    const thief = await eventually(() => openInetSocket('udp', 'ipv4', '0.0.0.0', 8080));
    await main.connect().restore();
    closeFd(thief.fd);
    assert.deepEqual(main.reported.splice(0), [{ holder: 'web', port: held[2], code: 'EADDRINUSE' }]);
    assert.ok(complaints.some((complaint) => /cannot be held.*EADDRINUSE/.test(complaint)));
    assert.deepEqual(await main.hold('web', ...held), []);
    await areHeld();
    await main.letGo('web');
  });

  test('by the same sockets when a keeper of another version takes over', async () => {
    const earlier = new Daemon('versions', 990);
    assert.deepEqual(await earlier.hold('web', ...held), []);
    const { pid } = earlier.client;
    await earlier.client.close();
    const stop = new AbortController();
    const attempts = takeUntil(stop.signal, 8080);
    const later = new Daemon('versions', 991);
    later.holders.set('web', { id: 'web', ports: held });
    earlier.holders.clear();
    await later.client.restore();
    await eventually(() => assert.equal(isProcessAlive(pid!), false));
    stop.abort();
    const outcomes = await attempts;
    assert.deepEqual([...new Set(outcomes)], ['EADDRINUSE']);
    assert.ok(outcomes.length > 10, `${outcomes.length} attempts`);
    assert.deepEqual(later.reported, []);
    await areHeld();
    await later.letGo('web');
    for (const { protocol, address } of held) {
      assert.equal(await canTake(protocol as 'tcp' | 'udp', address, 8080), 'yes');
    }
  });
});

describe('a relayed port', () => {
  /** What stands for a container: its servers have addresses of their own, and only IPv4. */
  const container = '198.51.100.2';
  const other = '198.51.100.3';
  const relayed = (protocol: 'tcp' | 'udp', to = container, number = 80): HeldPort => ({
    ...port(protocol, '::', 8080),
    relay: { address: to, port: number },
  });
  const cleanups: (() => Promise<unknown>)[] = [];

  before(() => {
    using route = RouteSocket.open();
    for (const address of [container, other]) {
      route.execute([newAddress({ index: 1, address, prefixLength: 32 })]);
    }
    for (const address of ['2001:db8::1', '2001:db8::2']) {
      route.execute([newAddress({ index: 1, address, prefixLength: 128, noDad: true })]);
    }
  });

  afterEach(async () => {
    for (const cleanUp of cleanups.splice(0)) await cleanUp();
    await main.letGo('web');
  });

  /** A TCP server in the container; it ends connections only where the story does. */
  async function serve(onConnection: (socket: Socket) => void, address = container): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      onConnection(socket);
    }).listen(80, address);
    await once(server, 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((closed) => server.close(closed));
    });
  }

  /** A UDP server in the container, which says who asks. */
  async function serveUdp(name: string, address = container): Promise<void> {
    const socket = createUdpSocket('udp4');
    socket.on('message', (data, from) =>
      socket.send(`${name}: ${data}, ${from.port}`, from.port, from.address),
    );
    socket.bind(80, address);
    await once(socket, 'listening');
    cleanups.push(() => new Promise<void>((closed) => socket.close(closed)));
  }

  /** Says hello, and ends when the client does. */
  const greet = (socket: Socket) => {
    socket.write('hello');
    socket.resume().on('end', () => socket.end());
  };

  const dial = (options: { readonly host?: string } = {}) => {
    const socket = connect({ host: '::1', port: 8080, allowHalfOpen: true, ...options });
    cleanups.push(async () => socket.destroy());
    return socket;
  };

  test('brings connections to the container, each side of which ends for itself', async () => {
    await serve(async (socket) => {
      // Answers only when it has heard all.
      const heard = await readAll(socket);
      socket.end(`heard ${heard}`);
    });
    assert.deepEqual(await main.hold('web', relayed('tcp')), []);
    assert.equal(await canTake('tcp', '::', 8080), 'EADDRINUSE');
    for (let round = 0; round < 50; round++) {
      const socket = dial();
      socket.end(`hello ${round}`);
      assert.equal(String(await readAll(socket)), `heard hello ${round}`);
    }
    const silent = dial();
    silent.end();
    assert.equal(String(await readAll(silent)), 'heard ');
  });

  test('lets the container end first and still hear', async () => {
    const heard = Promise.withResolvers<Buffer>();
    await serve((socket) => {
      socket.end('greetings');
      readAll(socket).then(heard.resolve, heard.reject);
    });
    await main.hold('web', relayed('tcp'));
    const socket = dial();
    assert.equal(String(await readAll(socket)), 'greetings');
    socket.end('bye');
    assert.equal(String(await heard.promise), 'bye');
  });

  test('brings much, both ways at a time, without loss', async () => {
    await serve((socket) => socket.pipe(socket));
    await main.hold('web', relayed('tcp'));
    const sent = randomBytes(32 << 20);
    const sockets = Array.from({ length: 4 }, () => dial());
    const received = await Promise.all(
      sockets.map((socket) => {
        socket.end(sent);
        return readAll(socket);
      }),
    );
    for (const bytes of received) assert.equal(Buffer.compare(bytes, sent), 0);
  });

  test('holds back who sends to a slow reader', async () => {
    const accepted = Promise.withResolvers<Socket>();
    await serve((socket) => accepted.resolve(socket.pause()));
    await main.hold('web', relayed('tcp'));
    const socket = dial();
    const reader = await accepted.promise;
    const before = memoryOf(main.client.pid!);
    const pieces = 256;
    let taken = 0;
    for (let index = 0; index < pieces; index++) socket.write(Buffer.alloc(1 << 20), () => taken++);
    await sleep(500);
    assert.ok(taken < 64, `${taken} MB are on the way, and nobody reads`);
    const grown = memoryOf(main.client.pid!) - before;
    assert.ok(grown < 16 << 20, `${grown} bytes more`);
    // Others are not held back.
    socket.end();
    let length = 0;
    for await (const piece of reader.resume()) length += (piece as Buffer).length;
    assert.equal(length, pieces << 20);
    reader.end();
    await readAll(socket);
  });

  test('resets connections that the container refuses or resets', async () => {
    await main.hold('web', relayed('tcp'));
    await assert.rejects(readAll(dial()), { code: 'ECONNRESET' });
    await serve((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const socket = dial();
    socket.write('hello');
    await assert.rejects(readAll(socket), { code: 'ECONNRESET' });
    const told = Promise.withResolvers<unknown>();
    await serve((accepted) => accepted.on('error', told.resolve).resume(), other);
    await main.hold('web', relayed('tcp', other));
    const leaving = dial();
    await once(leaving, 'connect');
    leaving.write('hello');
    await sleep(50);
    leaving.resetAndDestroy();
    assert.equal(((await told.promise) as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  test('leads elsewhere when the container has another address, without a gap', async () => {
    await serve((socket) => socket.write('first'));
    await serve((socket) => socket.end('second'), other);
    await main.hold('web', relayed('tcp'));
    const early = dial();
    assert.equal(String((await once(early, 'data'))[0]), 'first');
    const isReset = assert.rejects(readAll(early), { code: 'ECONNRESET' });
    assert.deepEqual(await main.hold('web', relayed('tcp', other)), []);
    await isReset;
    assert.equal(String(await readAll(dial())), 'second');
    assert.deepEqual(await main.hold('web', port('tcp', '::', 8080)), []);
    assert.equal(await tryConnecting('::1', 8080), 'ECONNREFUSED', 'held, and nothing more');
    assert.equal(await canTake('tcp', '::', 8080), 'EADDRINUSE');
    await main.hold('web', relayed('tcp', other));
    assert.equal(String(await readAll(dial())), 'second');
  });

  test('is let go at once, with its connections', async () => {
    await serve((socket) => socket.write('hello'));
    await main.hold('web', relayed('tcp'));
    const socket = dial();
    await once(socket, 'data');
    const isReset = assert.rejects(readAll(socket), { code: 'ECONNRESET' });
    await main.letGo('web');
    await isReset;
    assert.equal(await canTake('tcp', '::', 8080), 'yes');
  });

  test('serves many connections at a time, and more when those have ended', async () => {
    await serve(greet);
    await main.hold('web', relayed('tcp'));
    const before = sockets(main.client.pid!).length;
    const clients = Array.from({ length: 1100 }, () => dial());
    let greeted = 0;
    for (const client of clients) client.on('data', () => greeted++).on('error', () => {});
    await eventually(() => assert.equal(greeted, 1024));
    await sleep(100);
    assert.equal(greeted, 1024, 'the others wait');
    for (const client of clients.slice(0, 100)) client.destroy();
    await eventually(() => assert.equal(greeted, 1100));
    for (const client of clients) client.destroy();
    await eventually(() => assert.equal(sockets(main.client.pid!).length, before));
  });

  test('brings datagrams to the container and back, each client by itself', async () => {
    await serveUdp('first');
    assert.deepEqual(await main.hold('web', relayed('udp')), []);
    assert.equal(await canTake('udp', '::', 8080), 'EADDRINUSE');
    const clients = await Promise.all(Array.from({ length: 20 }, () => newUdpClient()));
    const seen = new Set<string>();
    for (const [index, client] of clients.entries()) {
      const first = await client.ask('::1', 8080, `hello ${index}`);
      const second = await client.ask('::1', 8080, `hello ${index}`);
      assert.match(first, new RegExp(`^first: hello ${index}, \\d+$`));
      assert.equal(first, second, 'the container sees one client');
      seen.add(first);
    }
    assert.equal(seen.size, clients.length);
    const big = 'x'.repeat(60_000);
    assert.match(await clients[0]!.ask('::1', 8080, big), /^first: x{60000}, /);
    await serveUdp('second', other);
    await main.hold('web', relayed('udp', other));
    assert.match(await clients[0]!.ask('::1', 8080, 'hello'), /^second: hello, /);
    for (const client of clients) client.close();
  });

  test('answers datagrams from the address that they were sent to', async () => {
    await serveUdp('first');
    await main.hold('web', relayed('udp'), {
      ...port('udp', '0.0.0.0', 8080),
      relay: { address: container, port: 80 },
    });
    for (const address of ['2001:db8::1', '2001:db8::2', '::1']) {
      const client = await newUdpClient('udp6');
      client.socket.connect(8080, address);
      await once(client.socket, 'connect');
      // A connected socket hears nobody else.
      client.socket.send('hello');
      assert.match(String((await once(client.socket, 'message'))[0]), /^first: hello/);
      client.close();
    }
    for (const address of ['127.0.0.1', '127.0.0.9', other]) {
      const client = await newUdpClient('udp4');
      client.socket.connect(8080, address);
      await once(client.socket, 'connect');
      client.socket.send('hello');
      assert.match(String((await once(client.socket, 'message'))[0]), /^first: hello/);
      client.close();
    }
  });

  test('survives datagrams that the container does not take, and takes no more memory for many clients', async () => {
    await main.hold('web', relayed('udp'));
    const before = sockets(main.client.pid!).length;
    const client = await newUdpClient();
    for (let index = 0; index < 10; index++) client.socket.send('lost', 8080, '::1');
    await sleep(50);
    await serveUdp('late');
    assert.match(await client.ask('::1', 8080, 'hello'), /^late: hello/);
    client.close();
    for (let index = 0; index < 1200; index++) {
      const passing = await newUdpClient();
      await passing.ask('::1', 8080, 'hello');
      passing.close();
    }
    assert.equal(sockets(main.client.pid!).length, before + 1024);
    await main.letGo('web');
    assert.equal(sockets(main.client.pid!).length, before - 1);
  });

  test('is handed over to a keeper of another version without a refused connection', async () => {
    await serve((socket) => {
      greet(socket);
      socket.once('data', () => socket.end('bye'));
    });
    const earlier = new Daemon('relay-versions', 990);
    await earlier.hold('web', relayed('tcp'));
    const { pid } = earlier.client;
    await earlier.client.close();
    const lasting = dial();
    await once(lasting, 'data');
    const later = new Daemon('relay-versions', 991);
    later.holders.set('web', { id: 'web', ports: [relayed('tcp')] });
    earlier.holders.clear();
    const stop = new AbortController();
    const greetings = greetUntil(stop.signal);
    await later.client.restore();
    await sleep(100);
    stop.abort();
    const outcomes = await greetings;
    assert.deepEqual([...new Set(outcomes)], ['hello']);
    assert.ok(outcomes.length > 10, `${outcomes.length} connections`);
    assert.equal(isProcessAlive(pid!), true, 'it passes on what it has accepted');
    lasting.write('go on');
    assert.equal(String(await readAll(lasting)), 'bye');
    lasting.destroy();
    await eventually(() => assert.equal(isProcessAlive(pid!), false));
    await later.letGo('web');
  });

  test('is relayed again at once after the keeper was killed, though old connections linger', async () => {
    await serve((socket) => socket.write('hello'));
    await main.hold('web', relayed('tcp'));
    const socket = dial();
    socket.on('error', () => {});
    await once(socket, 'data');
    const pid = main.client.pid!;
    process.kill(pid, 'SIGKILL');
    await eventually(() => assert.notEqual(main.client.pid ?? pid, pid));
    assert.deepEqual(main.reported, []);
    assert.equal(String((await once(dial(), 'data'))[0]), 'hello');
  });

  /** Connects all the time until told to stop; gives what was heard first on each connection, or what went wrong. */
  async function greetUntil(stop: AbortSignal): Promise<string[]> {
    const outcomes: string[] = [];
    while (!stop.aborted) {
      const socket = connect({ host: '::1', port: 8080 });
      const outcome = await Promise.race([
        once(socket, 'data').then(([data]) => String(data)),
        once(socket, 'close').then(() => 'closed'),
      ]).catch(String);
      outcomes.push(outcome);
      socket.destroy();
      await sleep(1);
    }
    return outcomes;
  }
});

test('a thousand ports cost little, and nothing when they are let go', async (t) => {
  const many = Array.from({ length: 1000 }, (_, index) =>
    port(index % 2 === 0 ? 'tcp' : 'udp', index % 4 < 2 ? '0.0.0.0' : '::', 20_000 + index),
  );
  await main.hold('warm', ...many.slice(0, 100));
  await main.letGo('warm');
  const pid = main.client.pid!;
  const before = sockets(pid).length;
  const startedAt = processorMs(pid);
  assert.deepEqual(await main.hold('many', ...many), []);
  const took = processorMs(pid) - startedAt;
  t.diagnostic(`1000 ports held in ${took.toFixed(1)} ms of the keeper's main thread`);
  assert.ok(took < 60, `${took} ms`);
  assert.equal(sockets(pid).length, before + 1000);
  assert.equal(await canTake('tcp', '0.0.0.0', 20_000), 'EADDRINUSE');
  assert.equal(await canTake('udp', '::', 20_999), 'EADDRINUSE');
  await main.letGo('many');
  assert.equal(sockets(pid).length, before);
  assert.equal(await canTake('tcp', '0.0.0.0', 20_000), 'yes');
});

test('a keeper that holds nothing more ends with the daemon', async () => {
  const leaving = new Daemon('leaving');
  await leaving.hold('web', port('tcp', '0.0.0.0', 8080));
  const pid = leaving.client.pid!;
  await leaving.letGo('web');
  assert.equal(isProcessAlive(pid), true, 'a daemon that is there may soon need it again');
  await leaving.client.close();
  await eventually(() => assert.equal(isProcessAlive(pid), false));
  assert.deepEqual(
    readdirSync(leaving.folder).filter((name) => name.startsWith('keeper')),
    [],
  );
});

/** Tries to take a TCP port all the time; gives what came of it. */
async function takeUntil(stop: AbortSignal, number: number): Promise<string[]> {
  const outcomes: string[] = [];
  while (!stop.aborted) {
    outcomes.push(await canTake('tcp', '0.0.0.0', number));
    await sleep(1);
  }
  return outcomes;
}

/** How long a process's main thread has been running so far. */
function processorMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

/** How much memory a process uses, in bytes. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** The sockets that a process has open. */
function sockets(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    return target.startsWith('socket:') ? target : [];
  });
}
