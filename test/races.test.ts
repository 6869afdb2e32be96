/**
 * Many clients at once, clients that hang up or do not read, processes that are killed by others: whatever the order
 * of events, what the engine says is what the kernel has, and nothing is left behind.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFaultyStory } from './lab/faulty-programs.ts';
import { expectSameInventory, processes, takeInventory } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { eventually, image, inspect } from './lab/story.ts';

const aboutOurs = { skip: engineUnderTest === 'dockerd' && 'about our daemon alone' };

const { lab, programs, clean } = await openFaultyStory();
afterEach(() => programs.clear());

interface Answer {
  readonly Id: string;
  readonly StatusCode: number;
  readonly message: string;
}

/** One request; no answer within 15 seconds is a failure. */
const post = (path: string, body?: object) =>
  lab.api<Answer>('POST', `/v1.41/containers/${path}`, body, { timeoutMs: 15_000 });
const remove = (name: string) =>
  lab.api<Answer>('DELETE', `/v1.41/containers/${name}?force=1`, undefined, { timeoutMs: 15_000 });

async function create(name: string, cmd: readonly string[], body: object = {}): Promise<string> {
  const answer = await post(`create?name=${name}`, { Image: image, Cmd: cmd, ...body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.Id;
}

async function run(name: string, cmd: readonly string[], body: object = {}): Promise<string> {
  const id = await create(name, cmd, body);
  const started = await post(`${name}/start`);
  assert.equal(started.status, 204, started.text);
  return id;
}

const quickStop = { StopTimeout: 0 };

interface Summary {
  readonly Id: string;
  readonly State: string;
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

const list = async () => (await lab.api<Summary[]>('GET', '/v1.41/containers/json?all=1')).json;

/** The ids of the containers that a conmon holds. */
function monitored(): string[] {
  return processes(lab)
    .flatMap(({ command }) => /conmon .*--cid ([0-9a-f]{64})/.exec(command)?.[1] ?? [])
    .sort();
}

function conmonOf(id: string): number {
  const found = processes(lab).find(({ command }) => command.includes('conmon') && command.includes(id));
  assert.ok(found, `no conmon of ${id}`);
  return found.pid;
}

const killInLab = (pid: number) => lab.run(`kill -9 ${pid}`);

/** What is said to run has a monitor and a process, nothing else has; addresses are given once. */
async function expectConsistent(): Promise<void> {
  await eventually(async () => {
    const running = (await list()).filter(({ State }) => State === 'running');
    assert.deepEqual(monitored(), running.map(({ Id }) => Id).sort(), 'the running and the monitored');
    const addresses = running.map((container) => container.NetworkSettings.Networks.bridge?.IPAddress);
    assert.equal(new Set(addresses).size, running.length, `addresses ${addresses}`);
    const alive = processes(lab).map(({ pid }) => pid);
    for (const { Id } of running) assert.ok(alive.includes((await inspect(lab, Id)).State.Pid), Id);
  });
}

async function removeAll(): Promise<void> {
  for (const { Id } of await list()) {
    const { status, text } = await remove(Id);
    assert.ok(status === 204 || status === 404, text);
  }
  await expectSameInventory(lab, clean, lab.engine);
}

/** Numbers that look random and are the same in every run (a linear congruential generator). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * sides);
  };
}

describe('one container, many clients', () => {
  test('of ten who create the same name one gets it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post('create?name=wanted', { Image: image, Cmd: ['true'] })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
    await remove('wanted');
  });

  test('start, stop, kill, rename and remove in any order give sensible answers', async () => {
    const id = await create('busy', ['sleep', '600'], quickStop);
    const seen = new Set<string>();
    const actions = [
      () => post(`${id}/start`),
      () => post(`${id}/start`),
      () => post(`${id}/stop?t=0`),
      () => post(`${id}/kill`),
      () => post(`${id}/restart?t=0`),
      () => post(`${id}/rename?name=busy${Math.floor(performance.now() * 1000)}`),
    ];
    const worker = async (roll: (sides: number) => number): Promise<void> => {
      for (let round = 0; round < 10; round += 1) {
        const index = roll(actions.length);
        const { status, text } = await actions[index]!();
        seen.add(`${index}:${status}`);
        assert.ok([204, 304, 409].includes(status), `action ${index}: ${status} ${text}`);
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map((seed) => worker(dice(seed))));
    assert.ok(seen.size > 6, [...seen].join());
    const removed = await Promise.all([1, 2, 3, 4].map(() => remove(id)));
    for (const { status, text } of removed)
      assert.ok(status === 204 || status === 404 || status === 409, text);
    assert.equal((await lab.api('GET', `/v1.41/containers/${id}/json`)).status, 404);
  });

  test('it is removed while it is made', aboutOurs, async () => {
    programs.inject('cp waits');
    const creating = post('create?name=half', { Image: image, Cmd: ['true'], Volumes: { '/etc': {} } });
    await programs.reached();
    const removing = remove('half');
    await sleep(50);
    programs.clear();
    const created = await creating;
    assert.equal(created.status, 201, created.text);
    assert.equal((await removing).status, 204);
    await lab.api('POST', '/v1.41/volumes/prune');
  });

  test('it is restarted twice at once, and the second time is no end of one that removes itself', async () => {
    const id = await run('twice', ['sleep', '600'], { ...quickStop, HostConfig: { AutoRemove: true } });
    const answers = await Promise.all([1, 2, 3].map(() => post('twice/restart?t=0')));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 204, 204],
    );
    assert.equal((await inspect(lab, id)).State.Running, true);
    assert.equal((await remove(id)).status, 204);
  });

  test('it is removed by force while it starts', aboutOurs, async () => {
    const id = await create('sudden', ['sleep', '600']);
    programs.inject('create waits');
    const starting = post('sudden/start');
    await programs.reached();
    const removing = remove('sudden');
    await sleep(50);
    programs.clear();
    assert.equal((await starting).status, 204);
    const removed = await removing;
    assert.equal(removed.status, 204, removed.text);
    assert.equal((await lab.api('GET', `/v1.41/containers/${id}/json`)).status, 404);
  });
});

describe('joining a container that goes away', aboutOurs, () => {
  for (const fault of ['create waits', 'create waits and fails'] as const) {
    test(`while the joining one starts: ${fault}`, async () => {
      await run('owner', ['sleep', '600']);
      await remove('member'); // of a test that failed half way
      await create('member', ['sleep', '600'], { HostConfig: { NetworkMode: 'container:owner' } });
      programs.inject(fault);
      const starting = post('member/start');
      await programs.reached();
      assert.equal((await remove('owner')).status, 204);
      programs.clear();
      const started = await starting;
      if (fault === 'create waits and fails') assert.match(started.json.message, /injected/);
      else assert.ok([204, 404, 409, 500].includes(started.status), started.text);
      assert.equal((await inspect(lab, 'member')).State.Running, started.status === 204);
      assert.equal((await remove('member')).status, 204);
      await eventually(async () => {
        const { links, exec } = await takeInventory(lab, lab.engine);
        assert.doesNotMatch(`${links}`, /veth/);
        assert.deepEqual(
          exec?.filter((path) => path.startsWith('netns/') && path !== 'netns/'),
          [],
        );
      });
    });
  }
});

describe('processes that others kill', aboutOurs, () => {
  test('the container itself: it has exited with 137 at once', async () => {
    await run('victim', ['sleep', '600']);
    const waiting = post('victim/wait');
    await killInLab((await inspect(lab, 'victim')).State.Pid);
    assert.equal((await waiting).json.StatusCode, 137);
    await remove('victim');
  });

  test('its conmon: logs, inspect and kill work, an attaching client is told, and removing does not wait', async () => {
    const id = await run('alone', ['sh', '-c', 'echo said; exec sleep 600']);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs alone'), 'said'));
    await killInLab(conmonOf(id));
    assert.equal(await lab.dockerOutput('logs alone'), 'said');
    assert.equal((await inspect(lab, 'alone')).State.Running, true);
    const attached = await send(head('POST', '/containers/alone/attach?stream=1&stdout=1&stderr=1'));
    assert.match(await attached.setEncoding('utf8').toArray().then(String), /cannot attach to container/);
    attached.destroy();
    const startedAt = performance.now();
    assert.equal((await remove('alone')).status, 204);
    assert.ok(performance.now() - startedAt < 4000, 'it took too long');
  });

  test('its conmon, and it is stopped', async () => {
    const id = await run('stopped', ['sleep', '600']);
    await killInLab(conmonOf(id));
    const startedAt = performance.now();
    assert.equal((await post('stopped/stop?t=1')).status, 204);
    assert.ok(performance.now() - startedAt < 5000, 'it took too long');
    assert.equal((await inspect(lab, 'stopped')).State.Status, 'exited');
    await remove('stopped');
  });
});

describe('the daemon is killed', aboutOurs, () => {
  test('while runc makes a container: that is taken back once runc is done', async () => {
    const id = await create('halfway', ['sleep', '600']);
    programs.inject('create waits');
    const starting = post('halfway/start').catch(() => undefined);
    await programs.reached();
    await lab.engine.kill('SIGKILL');
    await starting;
    const restarted = lab.engine.start();
    await sleep(500);
    programs.clear();
    await restarted;
    await expectConsistent();
    assert.equal((await inspect(lab, id)).State.Status, 'created');
    assert.equal((await post('halfway/start')).status, 204);
    await expectConsistent();
    assert.equal((await remove('halfway')).status, 204);
  });

  test('at any moment of creating, starting, stopping and removing: what is listed is what there is', async () => {
    const roll = dice(42);
    let serial = 0;
    let isOver = false;
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const name = `loop${serial++}`;
        try {
          await post(`create?name=${name}`, { Image: image, Cmd: ['sleep', '600'] });
          await post(`${name}/start`);
          if (roll(2)) await post(`${name}/stop?t=0`);
          if (roll(3)) await remove(name);
        } catch {
          await sleep(10); // no daemon at the moment
        }
      }
    };
    const workers = [worker(), worker(), worker()];
    try {
      for (let round = 0; round < 6; round += 1) {
        await sleep(50 + roll(350));
        await lab.engine.restart('SIGKILL');
      }
    } finally {
      isOver = true;
      await Promise.all(workers);
    }
    await expectConsistent();
    for (const { Id, State } of await list()) {
      if (State === 'running') assert.equal((await remove(Id)).status, 204);
    }
    for (const { Id } of await list()) await remove(Id);
  });

  test('while containers end: each has its own exit code', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `ends${index}`);
    await Promise.all(
      names.map((name, index) => run(name, ['sh', '-c', `sleep ${0.4 + index * 0.1}; exit ${20 + index}`])),
    );
    await lab.engine.restart('SIGKILL');
    const codes = await Promise.all(names.map(async (name) => (await post(`${name}/wait`)).json.StatusCode));
    assert.deepEqual(
      codes,
      names.map((_, index) => 20 + index),
    );
    await Promise.all(names.map(remove));
  });

  test('while containers end that it has yet to look at: it does not look at them twice', async () => {
    const indexes = Array.from({ length: 6 }, (_, index) => index);
    for (const index of indexes) {
      const id = await create(`waits${index}`, ['true']);
      await run(`ends${index}`, ['sh', '-c', `sleep 1.2; exit ${30 + index}`]);
      // As after a deletion that failed; trying again is what holds the new daemon up here.
      await lab.run(`mkdir -p ${lab.engine.execRoot}/runc/${id}`);
    }
    programs.inject('delete waits');
    await lab.engine.kill('SIGKILL');
    const restarted = lab.engine.start();
    await programs.reached();
    await sleep(1300);
    programs.clear();
    await restarted;
    for (const index of indexes) {
      assert.equal((await post(`ends${index}/wait`)).json.StatusCode, 30 + index);
      await remove(`waits${index}`);
      await remove(`ends${index}`);
    }
  });
});

/** A connection that sends one request and then what the test wants. */
function send(request: string): Promise<Socket> {
  const socket = connect({ path: lab.engine.socket, allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(request);
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)));
}

const head = (method: string, path: string, headers = 'Connection: Upgrade\r\nUpgrade: tcp\r\n') =>
  `${method} /v1.41${path} HTTP/1.1\r\nHost: docker\r\n${headers}\r\n`;

const openDescriptors = () => readdirSync(`/proc/${lab.engine.pid}/fd`).length;

/** Resident memory of the daemon in MB; proc_pid_status(5). */
function residentMb(): number {
  const status = readFileSync(`/proc/${lab.engine.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** A container whose conmon was killed: only the daemon's own look, every 10 s, tells of its end. Looked at last. */
let orphanedAt = 0;

describe('clients that hang up', aboutOurs, () => {
  before(async () => {
    const id = await run('orphan', ['sh', '-c', 'echo before; sleep 1; exit 5']);
    await eventually(async () => assert.equal(await lab.dockerOutput('logs orphan'), 'before'));
    await killInLab(conmonOf(id));
    orphanedAt = performance.now();
  });

  test('in the middle of attach, logs -f, wait and events: no descriptor stays open', async () => {
    const id = await run('silent', ['sleep', '600'], { OpenStdin: true });
    const waitingId = await create('asleep', ['true'], { OpenStdin: true });
    const attach = (which: string, stdin: number) =>
      head('POST', `/containers/${which}/attach?stream=1&stdout=1&stderr=1&stdin=${stdin}`);
    const requests = [
      attach(id, 0),
      attach(id, 1),
      attach(waitingId, 0),
      head('GET', `/containers/${id}/logs?follow=1&stdout=1`, ''),
      head('POST', `/containers/${id}/wait`, 'Content-Length: 0\r\n'),
      head('GET', '/events', ''),
    ];
    const hangUp = async (request: string, index: number): Promise<void> => {
      const socket = await send(request);
      await new Promise((resolve) => socket.once('data', resolve)); // the head of the answer
      if (index % 2 === 0) socket.end(); // as the docker client does when it has no input
      await sleep(20);
      socket.destroy();
    };
    const round = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        await Promise.all(requests.map((request) => hangUp(request, index)));
      }
    };
    await round(2);
    await sleep(1500);
    const openBefore = openDescriptors();
    await round(20);
    await eventually(() =>
      assert.ok(openDescriptors() <= openBefore + 2, `${openBefore}, then ${openDescriptors()}`),
    );
    await remove(id);
    await remove(waitingId);
  });

  test('in the middle of an import: nothing of it is kept', async () => {
    const headers = 'Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n';
    const openBefore = openDescriptors();
    for (let index = 0; index < 10; index += 1) {
      const socket = await send(head('POST', '/images/create?fromSrc=-&repo=cut&tag=off', headers));
      socket.write(`${(65536).toString(16)}\r\n`);
      socket.write(Buffer.alloc(1000 + index * 5000, 0x61));
      await sleep(20);
      socket.destroy();
    }
    await eventually(async () => {
      assert.ok(openDescriptors() <= openBefore + 2, `${openBefore}, then ${openDescriptors()}`);
      assert.deepEqual((await takeInventory(lab, lab.engine)).images, clean.images);
    });
  });
});

test('a log that cannot be read: its readers are cut off and do not wait for ever', aboutOurs, async () => {
  const id = await create('garbled', ['true']);
  await lab.run(`mkdir ${lab.engine.dataRoot}/containers/${id}/container.log`);
  for (const request of [
    head('GET', `/containers/${id}/logs?stdout=1`, ''),
    head('POST', `/containers/${id}/attach?logs=1&stream=1&stdout=1`),
  ]) {
    const reader = await send(request);
    const isOver = reader.toArray().then(
      () => true,
      () => true,
    );
    assert.ok(await Promise.race([isOver, sleep(3000, false)]), request);
    reader.destroy();
  }
  await remove(id);
});

describe('clients that do not keep up', aboutOurs, () => {
  const bytes = 100_000_000;
  const flood = ['sh', '-c', `head -c ${bytes} /dev/zero`];
  const maxGrowthMb = 48;

  /** Reads a framed answer to its end and counts what the frames hold. */
  async function drain(socket: Socket): Promise<number> {
    let total = 0;
    for await (const chunk of socket) total += (chunk as Buffer).length;
    return total;
  }

  test('attached: the container waits, the daemon does not grow, others go on, and nothing is lost', async () => {
    await create('flood', flood, { Tty: false });
    const slow = await send(head('POST', '/containers/flood/attach?stream=1&stdout=1&stderr=1'));
    slow.pause();
    await sleep(50);
    const sizeBefore = residentMb();
    assert.equal((await post('flood/start')).status, 204);
    await sleep(1500);
    assert.equal((await inspect(lab, 'flood')).State.Running, true, 'it has not finished');
    assert.ok(residentMb() - sizeBefore < maxGrowthMb, `${sizeBefore} MB, then ${residentMb()} MB`);
    assert.equal(await lab.dockerOutput(`run --rm ${image} echo others go on`), 'others go on');
    const received = await drain(slow);
    assert.ok(received > bytes && received < bytes * 1.01, `${received} bytes`);
    assert.ok(residentMb() - sizeBefore < maxGrowthMb * 2, `${sizeBefore} MB, then ${residentMb()} MB`);
    slow.destroy();

    // The same output again from the log, by a client that does not read at first.
    const reader = await send(
      head('GET', '/containers/flood/logs?follow=1&stdout=1', 'Connection: close\r\n'),
    );
    reader.pause();
    const calm = residentMb();
    await sleep(1000);
    assert.ok(residentMb() - calm < maxGrowthMb, `${calm} MB, then ${residentMb()} MB`);
    reader.destroy();
    await remove('flood');
  });

  test('attached and not reading: the container can be stopped and removed, and its end is seen', async () => {
    await create('flood', ['sh', '-c', 'yes & exec sleep 600']);
    const slow = await send(head('POST', '/containers/flood/attach?stream=1&stdout=1&stderr=1'));
    slow.pause();
    await sleep(50);
    assert.equal((await post('flood/start')).status, 204);
    await sleep(700);
    const startedAt = performance.now();
    assert.equal((await post('flood/kill')).status, 204);
    assert.ok(performance.now() - startedAt < 4000, 'it took too long');
    assert.equal((await inspect(lab, 'flood')).State.ExitCode, 137);
    assert.equal((await remove('flood')).status, 204);
    slow.destroy();
  });

  test('of events: they are cut off, and everything else goes on', async () => {
    const id = await create('chatty', ['true'], { Labels: { long: 'x'.repeat(100_000) } });
    const slow = await send(head('GET', '/events', ''));
    slow.pause();
    const sizeBefore = residentMb();
    for (let index = 0; index < 800; index += 1) {
      assert.equal((await post(`${id}/rename?name=chatty${index}`)).status, 204);
    }
    assert.ok(residentMb() - sizeBefore < maxGrowthMb, `${sizeBefore} MB, then ${residentMb()} MB`);
    assert.ok((await drain(slow)) < 10_000_000);
    await remove(id);
  });

  test('containers that do not read what is sent to them', async () => {
    for (const started of [false, true]) {
      await create('deaf', ['sleep', '600'], { OpenStdin: true, AttachStdin: true });
      if (started) assert.equal((await post('deaf/start')).status, 204);
      const loud = await send(head('POST', '/containers/deaf/attach?stream=1&stdin=1&stdout=1'));
      const sizeBefore = residentMb();
      const chunk = Buffer.alloc(1_000_000);
      for (let sent = 0; sent < 80; sent += 1) loud.write(chunk);
      await sleep(700);
      assert.ok(residentMb() - sizeBefore < maxGrowthMb, `${sizeBefore} MB, then ${residentMb()} MB`);
      loud.destroy();
      assert.equal((await remove('deaf')).status, 204);
    }
  });

  test('containers that end in the middle of what is sent to them', async () => {
    const input = Buffer.alloc(20_000_000, 0x0a);
    for (let round = 0; round < 4; round += 1) {
      await lab.docker(`run --rm -i ${image} head -c ${round * 1000}`, { input, allowFailure: true });
    }
    assert.equal((await lab.api('GET', '/_ping')).status, 200, 'the daemon lives');
  });
});

test('the end of a container whose conmon was killed is noticed', aboutOurs, async () => {
  await eventually(
    async () => assert.equal((await inspect(lab, 'orphan')).State.Status, 'exited'),
    Math.max(1000, 14_000 - (performance.now() - orphanedAt)),
  );
  assert.equal((await inspect(lab, 'orphan')).State.ExitCode, 255, 'nobody saw its exit code');
  assert.equal(await lab.dockerOutput('logs orphan'), 'before');
  await remove('orphan');
});

test('after all this nothing is left', () => removeAll());
