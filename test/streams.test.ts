/** Clients at the streams of containers and execs: keys that detach, half-closed connections, WebSockets, slow readers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { engineUnderTest } from './lab/lab.ts';
import { RawApi, testRefusals } from './lab/raw-api.ts';
import { eventually, openStory } from './lab/story.ts';
import { demultiplex, Wire } from './lab/wire.ts';

const lab = await openStory();
const api = new RawApi(lab);
const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };
const [ctrlP, ctrlQ] = ['\x10', '\x11'];

/** Starts a container that reads from its standard input. */
function interactive(name: string, body: object = {}): Promise<string> {
  return api.run(name, 'none', { Cmd: ['cat'], OpenStdin: true, ...body });
}

function attach(container: string, query: string, upgrade = true): Wire {
  const wire = new Wire(lab.engine.socket);
  wire.send('POST', `/v1.41/containers/${container}/attach?stream=1&${query}`, { upgrade });
  return wire;
}

async function startExec(container: string, body: object): Promise<{ id: string; wire: Wire }> {
  const asked = { AttachStdin: true, AttachStdout: true, AttachStderr: true, ...body };
  const { Id } = await api.ask<{ Id: string }>('POST', `/containers/${container}/exec`, asked);
  const wire = new Wire(lab.engine.socket);
  const tty = 'Tty' in body && body.Tty;
  wire.send('POST', `/v1.41/exec/${Id}/start`, { upgrade: true, body: { Tty: tty } });
  return { id: Id, wire };
}

async function isRunning(container: string): Promise<boolean> {
  return (await api.inspect(container)).State.Status === 'running';
}

/** Actions of a container's events so far. */
async function actionsOf(container: string): Promise<string[]> {
  const now = Math.ceil(Date.now() / 1000);
  const output = await lab.dockerOutput([
    ...['events', '--since', '0', '--until', String(now), '--filter', `container=${container}`],
    ...['--format', '{{.Action}}'],
  ]);
  return output.split('\n');
}

describe('keys that detach', () => {
  test('leave a terminal, whose container goes on and can be attached to again', async () => {
    await interactive('typed', { Tty: true });
    const wire = attach('typed', 'stdin=1&stdout=1&stderr=1');
    await eventually(() => assert.match(wire.head, /101/));
    wire.socket.write(`one${ctrlP}x\n`);
    await wire.sees('one^Px');
    wire.socket.write(ctrlP);
    wire.socket.write(`${ctrlQ}never\n`);
    await wire.ended;
    assert.ok(!wire.body.includes('never'));
    assert.ok(await isRunning('typed'));
    assert.ok((await actionsOf('typed')).includes('detach'));
    const again = attach('typed', 'stdin=1&stdout=1&detachKeys=a,ctrl-b');
    await eventually(() => assert.match(again.head, /101/));
    again.socket.write(`${ctrlP}${ctrlQ}ac\n`);
    // The terminal takes ctrl-q for itself.
    await again.sees('^Pac');
    again.socket.write('a\x02');
    await again.ended;
    assert.ok(await isRunning('typed'));
  });

  test('leave an exec on a terminal, and are nothing special without one', async () => {
    await interactive('execs');
    const { id, wire } = await startExec('execs', { Tty: true, Cmd: ['cat'], DetachKeys: 'x,y' });
    await eventually(() => assert.match(wire.head, /101/));
    wire.socket.write('axb\n');
    await wire.sees('axb\r\naxb');
    wire.socket.write('xyz');
    await wire.ended;
    assert.equal((await api.get<{ Running: boolean }>(`/exec/${id}/json`)).Running, true);
    assert.ok((await actionsOf('execs')).includes('exec_detach'));

    const plain = await startExec('execs', { Cmd: ['cat'] });
    plain.wire.socket.write(`a${ctrlP}${ctrlQ}b\n`);
    await plain.wire.sees(`a${ctrlP}${ctrlQ}b\n`);
    plain.wire.socket.end();
    await plain.wire.ended;
  });
});

describe('half-closed connections', () => {
  for (const upgrade of [true, false]) {
    test(`end the input of a container with StdinOnce, ${upgrade ? 'with' : 'without'} an upgrade`, async () => {
      const name = `once-${upgrade}`;
      const Cmd = ['sh', '-c', 'cat; echo rest; echo errors >&2'];
      await api.createContainer(name, 'none', { Cmd, OpenStdin: true, StdinOnce: true, AttachStdin: true });
      const wire = attach(name, 'stdin=1&stdout=1&stderr=1', upgrade);
      await eventually(() => assert.match(wire.head, upgrade ? /^HTTP\/1.1 101 / : /^HTTP\/1.1 200 /));
      await api.start(name);
      wire.socket.end('typed\n');
      await wire.ended;
      assert.deepEqual(demultiplex(wire.body), { stdout: 'typed\nrest\n', stderr: 'errors\n' });
    });
  }

  test('of a container that keeps its input for the next leave it open, and output goes on', async () => {
    await interactive('kept');
    const wires: Wire[] = [];
    for (const word of ['first', 'second']) {
      const wire = attach('kept', 'stdin=1&stdout=1');
      await eventually(() => assert.match(wire.head, /101/));
      wire.socket.end(`${word}\n`);
      wires.push(wire);
      await wire.sees(word);
      assert.ok(await isRunning('kept'));
    }
    await wires[0]!.sees('second');
    for (const { socket } of wires) socket.destroy();
  });

  test('of clients without input mean nothing', async () => {
    await interactive('heard');
    const listener = attach('heard', 'stdout=1');
    await eventually(() => assert.match(listener.head, /101/));
    listener.socket.end();
    const speaker = attach('heard', 'stdin=1');
    await eventually(() => assert.match(speaker.head, /101/));
    speaker.socket.write('anybody?\n');
    await listener.sees('anybody?');
    assert.equal(speaker.body, '', 'a client gets the streams it asked for');
  });
});

describe('a WebSocket', aboutOurs, () => {
  const open = (container: string, query: string) =>
    new WebSocket(`ws+unix://${lab.engine.socket}:/v1.41/containers/${container}/attach/ws?${query}`);

  test('carries both directions, unframed, and closes when the container ends', async () => {
    await interactive('webbed');
    const socket = open('webbed', 'stream=1&stdin=1&stdout=1');
    let seen = '';
    socket.on('message', (data, isBinary) => {
      assert.ok(isBinary);
      seen += String(data);
    });
    await once(socket, 'open');
    socket.send('text\n');
    socket.send(Buffer.from('bytes\n'));
    await eventually(() => assert.equal(seen, 'text\nbytes\n'));
    const closed = once(socket, 'close');
    await api.stop('webbed');
    await closed;
    const replay = open('webbed', 'logs=1&stdout=1');
    replay.on('message', (data) => {
      seen += String(data);
    });
    await once(replay, 'close');
    assert.equal(seen, 'text\nbytes\ntext\nbytes\n');
  });

  test('of a client that closes it leaves the container running', async () => {
    await interactive('left');
    const socket = open('left', 'stream=1&stdin=1&stdout=1');
    await once(socket, 'open');
    socket.close();
    await once(socket, 'close');
    assert.ok(await isRunning('left'));
  });

  test('to what does not exist is refused', async () => {
    const socket = open('nope', 'stream=1');
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /404/);
  });
});

describe('clients that do not read', aboutOurs, () => {
  const endless = ['sh', '-c', 'exec yes'];

  test('do not hide the end of their container', async () => {
    await api.run('unread', 'none', { Cmd: endless });
    const wire = attach('unread', 'stdout=1');
    await eventually(() => assert.ok(wire.body.length > 0));
    wire.socket.pause();
    await stalled(wire);
    const startedAt = performance.now();
    await api.stop('unread');
    const { StatusCode } = await api.ask<{ StatusCode: number }>('POST', '/containers/unread/wait');
    assert.equal(StatusCode, 137);
    const took = performance.now() - startedAt;
    assert.ok(took < 5000, `it took ${took} ms`);
    wire.socket.resume();
    await wire.ended;
  });

  /** Waits until no more arrives at a client, because the way to it is full. */
  async function stalled(wire: Wire): Promise<void> {
    for (let seen = -1; wire.socket.bytesRead !== seen; ) {
      seen = wire.socket.bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  const megabyte = 2 ** 20;
  const amount = 300 * megabyte;

  /** The most memory that the daemon took since `resetPeak`, in bytes. Source: proc_pid_status(5), VmHWM. */
  function peak(): number {
    const status = readFileSync(`/proc/${lab.engine.pid}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** Source: proc_pid_clear_refs(5), 5. */
  function resetPeak(): number {
    writeFileSync(`/proc/${lab.engine.pid}/clear_refs`, '5');
    return peak();
  }

  /** Reads all of a stream with pauses. @returns how many bytes came */
  async function readSlowly(wire: Wire): Promise<number> {
    wire.socket.removeAllListeners('data');
    wire.socket.pause();
    await stalled(wire);
    let bytes = 0;
    wire.socket.on('data', (data) => {
      const before = Math.floor(bytes / (20 * megabyte));
      bytes += data.length;
      if (Math.floor(bytes / (20 * megabyte)) === before) return;
      wire.socket.pause();
      setTimeout(() => wire.socket.resume(), 10);
    });
    wire.socket.resume();
    await wire.ended;
    return bytes;
  }

  async function growsLittle(wire: Wire, expected: number): Promise<void> {
    const before = resetPeak();
    const bytes = await readSlowly(wire);
    assert.ok(bytes >= expected, `${bytes} bytes came`);
    const growth = (peak() - before) / megabyte;
    assert.ok(growth < 64, `the daemon grew by ${growth.toFixed(1)} MB`);
  }

  test('cost no memory: an exec', async () => {
    await interactive('host');
    const { wire } = await startExec('host', { Cmd: ['head', '-c', String(amount), '/dev/zero'] });
    await eventually(() => assert.match(wire.head, /101/));
    await growsLittle(wire, amount - megabyte);
  });

  test('cost no memory: an exec on a terminal', async () => {
    const { wire } = await startExec('host', {
      Tty: true,
      Cmd: ['head', '-c', String(amount / 10), '/dev/zero'],
    });
    await eventually(() => assert.match(wire.head, /101/));
    await growsLittle(wire, amount / 10 - megabyte);
  });

  test('cost no memory: attach', async () => {
    const Cmd = ['sh', '-c', `read go; head -c ${amount / 3} /dev/zero`];
    await api.run('wide', 'none', { Cmd, OpenStdin: true, HostConfig: { LogConfig: { Type: 'json-file' } } });
    const wire = attach('wide', 'stdin=1&stdout=1');
    await eventually(() => assert.match(wire.head, /101/));
    wire.socket.write('go\n');
    await growsLittle(wire, amount / 3 - megabyte);
  });

  test('cost no memory: logs', async () => {
    const before = resetPeak();
    const wire = new Wire(lab.engine.socket);
    wire.send('GET', '/v1.41/containers/wide/logs?stdout=1');
    await eventually(() => assert.match(wire.head, /200/));
    wire.socket.removeAllListeners('data');
    wire.socket.pause();
    await stalled(wire);
    wire.socket.resume();
    await eventually(() =>
      assert.ok(wire.socket.bytesRead > amount / 3, `${wire.socket.bytesRead} bytes came`),
    );
    wire.socket.destroy();
    const growth = (peak() - before) / megabyte;
    assert.ok(growth < 64, `the daemon grew by ${growth.toFixed(1)} MB`);
  });
});

describe('clients that vanish', aboutOurs, () => {
  const descriptors = () =>
    readdirSync(`/proc/${lab.engine.pid}/fd`)
      .map((fd) => {
        try {
          return readlinkSync(`/proc/${lab.engine.pid}/fd/${fd}`).replace(/\d+/, 'N');
        } catch {
          return '';
        }
      })
      .sort();

  test('at whatever moment leave nothing behind', async () => {
    await interactive('stage');
    await api.run('talker', 'none', { Cmd: ['yes'] });
    const before = descriptors();
    const start = async (Cmd: string[]) => (await startExec('stage', { Cmd })).wire;
    const wires = [
      // Before the head of the answer.
      attach('stage', 'stdin=1&stdout=1'),
      attach('talker', 'stdout=1&logs=1'),
      await start(['cat']),
      await start(['yes']),
    ];
    for (const { socket } of wires) socket.destroy();
    const later = [
      attach('stage', 'stdin=1&stdout=1'),
      attach('talker', 'stdout=1'),
      attach('talker', 'stdout=1', false),
      await start(['cat']),
      await start(['timeout', '2', 'yes']),
      await start(['sh', '-c', 'exec timeout 2 yes >&2']),
    ];
    for (const wire of later) await eventually(() => assert.match(wire.head, /101|200/));
    // Some in the middle of output, some with output that they have not read, some half closed before.
    later.forEach(({ socket }, index) => {
      if (index % 3 === 0) socket.pause();
      if (index % 2 === 0) socket.end();
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { socket } of later) socket.destroy();
    await eventually(() =>
      assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`),
    );
    assert.ok(await isRunning('stage'));
    assert.ok(await isRunning('talker'));
    await api.removeContainers('stage', 'talker');
  });
});

describe('mistakes', () => {
  testRefusals(lab, 'streams', [
    {
      what: 'attach with keys that do not exist',
      path: '/containers/kept/attach?stream=1&detachKeys=ctrl-1',
      status: 400,
      message: 'Invalid detach keys (ctrl-1) provided',
    },
    {
      what: 'attach to an unknown container',
      path: '/containers/nope/attach?stream=1',
      status: 404,
      message: 'No such container: nope',
    },
    {
      what: 'exec with keys that do not exist',
      path: '/containers/kept/exec',
      body: { Cmd: ['true'], DetachKeys: 'ctrl-p;ctrl-q' },
      status: 400,
      message: 'Invalid escape keys (ctrl-p;ctrl-q) provided',
    },
    {
      what: 'a WebSocket without an upgrade',
      method: 'GET',
      path: '/containers/kept/attach/ws?stream=1',
      status: 400,
      message: 'not websocket protocol',
    },
  ]);
});
