/**
 * What goes wrong by the user's hand: a clear message, Docker's status, and nothing left behind.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { expectSameInventory, type Inventory, takeInventory } from './lab/inventory.ts';
import { engineUnderTest, Lab } from './lab/lab.ts';
import { addressOf, eventually, image, inspect, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();

const peer = engineUnderTest === 'dockerd';
const aboutOurs = { skip: peer && 'about our daemon alone' };
/** 20.10 answers 500 to a body it cannot read. */
const unreadable = peer ? 500 : 400;

// Everything an engine makes only once exists from here on.
await lab.docker(`run --rm ${image} true`);
await lab.docker(`run -d --name stays ${image} sleep 600`);
const clean = await takeInventory(lab, lab.engine);
const firstFree = await nextAddress();

async function nextAddress(): Promise<string> {
  const shown = await lab.dockerOutput(`run --rm ${image} ip -br -4 addr show eth0`);
  return shown.match(/172\.17\.\d+\.\d+/)?.[0] ?? shown;
}

/** Runs a mistake and checks that afterwards everything is as it was, the next free address included. */
async function leavesNothing(mistake: () => Promise<void>, before: Inventory = clean): Promise<void> {
  await mistake();
  await expectSameInventory(lab, before, lab.engine);
  assert.equal(await nextAddress(), firstFree, 'no address was lost');
}

/** A docker command that must fail with this exit code and this complaint. */
async function refused(command: string | string[], code: number, complaint: RegExp): Promise<void> {
  const result = await lab.docker(command, { allowFailure: true });
  assert.match(result.stderr, complaint);
  assert.equal(result.code, code);
}

interface Problem {
  readonly message: string;
}

/** A request that must be answered with this status and this message. */
async function answered(
  method: string,
  path: string,
  body: object | string | undefined,
  status: number,
  message: RegExp,
): Promise<void> {
  const answer = await lab.api<Problem>(method, path, body);
  assert.match(answer.json?.message ?? `not JSON: ${answer.text}`, message);
  assert.equal(answer.status, status, answer.text);
}

async function create(name: string, body: object): Promise<string> {
  const answer = await lab.api<{ Id: string }>('POST', `/v1.41/containers/create?name=${name}`, {
    Image: image,
    Cmd: ['sleep', '600'],
    ...body,
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.Id;
}

const remove = (name: string) => lab.api('DELETE', `/v1.41/containers/${name}?force=1`);

describe('names and references', () => {
  test('an unknown network is found out when the container starts, which stays created', () =>
    leavesNothing(async () => {
      await refused(`run --rm --net=nope ${image} true`, 125, /network nope not found/);
      await refused(`run --name never --net=nope ${image} true`, 125, /network nope not found/);
      const { State } = await inspect(lab, 'never');
      assert.equal(State.Status, 'created');
      assert.match(State.Error, /network nope not found/);
      await answered('POST', '/v1.41/containers/never/start', undefined, 404, /network nope not found/);
      await remove('never');
    }));

  test('a malformed network mode is refused', () =>
    leavesNothing(async () => {
      for (const mode of ['container:', 'container']) {
        const body = { Image: image, Cmd: ['true'], HostConfig: { NetworkMode: mode } };
        const text =
          /nvalid network mode: invalid container format container:<name\|id>|network container not found/;
        const answer = await lab.api<Problem>('POST', '/v1.41/containers/create?name=never', body);
        if (answer.status === 201) {
          await answered('POST', '/v1.41/containers/never/start', undefined, 404, text);
          await remove('never');
        } else {
          assert.match(answer.json.message, text);
          assert.equal(answer.status, 400);
        }
      }
    }));

  test('an unknown image', () =>
    leavesNothing(async () => {
      const body = { Image: 'nope', Cmd: ['true'] };
      await answered('POST', '/v1.41/containers/create', body, 404, /No such image: nope:latest/);
      await answered('GET', '/v1.41/images/nope/json', undefined, 404, /[Nn]o such image: nope/);
      await refused('run --rm --pull=never nope true', 125, /No such image: nope:latest/);
    }));

  test('a name that is taken', () =>
    leavesNothing(async () => {
      const { Id } = await inspect(lab, 'stays');
      const text = new RegExp(
        `Conflict\\. The container name "/stays" is already in use by container "${Id}"\\. You have to remove \\(or rename\\) that container to be able to reuse that name\\.`,
      );
      const body = { Image: image, Cmd: ['true'] };
      await answered('POST', '/v1.41/containers/create?name=stays', body, 409, text);
      await refused(`run --name stays ${image} true`, 125, text);
    }));

  test('a name that is not one', () =>
    leavesNothing(async () => {
      const body = { Image: image, Cmd: ['true'] };
      for (const name of ['kt!bad', 'x', '-dash', 'sp%20ace', 'ä']) {
        const text = /Invalid container name \(.+\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/;
        await answered('POST', `/v1.41/containers/create?name=${encodeURI(name)}`, body, 400, text);
      }
    }));

  test('an unknown container', () =>
    leavesNothing(async () => {
      const text = /No such container: nope/;
      await answered('GET', '/v1.41/containers/nope/json', undefined, 404, text);
      await answered('DELETE', '/v1.41/containers/nope', undefined, 404, text);
      await answered('GET', '/v1.41/containers/nope/logs?stdout=1', undefined, 404, text);
      for (const verb of ['start', 'stop', 'kill', 'wait', 'attach?stream=1&stdout=1']) {
        await answered('POST', `/v1.41/containers/nope/${verb}`, undefined, 404, text);
      }
      await answered('GET', '/v1.41/networks/nope', undefined, 404, /network nope not found/);
    }));
});

describe('container mode', () => {
  const joins = (other: string) => ({ HostConfig: { NetworkMode: `container:${other}` } });

  test('the other container does not exist', () =>
    leavesNothing(async () => {
      await refused(`run --rm --net=container:nope ${image} true`, 125, /No such container: nope/);
    }));

  test('the other container does not run', () =>
    leavesNothing(async () => {
      await create('asleep', {});
      await refused(
        `run --rm --net=container:asleep ${image} true`,
        125,
        /cannot join network (namespace )?of a non running container/,
      );
      await create('joiner', joins('asleep'));
      await answered('POST', '/v1.41/containers/joiner/start', undefined, 409, /non running container/);
      await remove('joiner');
      await remove('asleep');
    }));

  test('a container that joins itself, and two that join each other', () =>
    leavesNothing(async () => {
      await create('selfish', joins('selfish'));
      const itself = await lab.api<Problem>('POST', '/v1.41/containers/selfish/start');
      assert.match(itself.json.message, /cannot join own network|non running container/);
      assert.ok([400, 409, 500].includes(itself.status), `${itself.status}`);
      await create('egg', joins('hen'));
      await create('hen', joins('egg'));
      for (const name of ['egg', 'hen']) {
        await answered('POST', `/v1.41/containers/${name}/start`, undefined, 409, /non running container/);
      }
      for (const name of ['selfish', 'egg', 'hen']) await remove(name);
    }));

  test('options that belong to the other container', () =>
    leavesNothing(async () => {
      const conflicts: [object, object, RegExp][] = [
        [{ Hostname: 'mine' }, {}, /conflicting options: hostname and the network mode/],
        [{}, { Dns: ['192.0.2.1'] }, /conflicting options: dns and the network mode/],
        [
          {},
          { ExtraHosts: ['a:192.0.2.1'] },
          /conflicting options: custom host-to-IP mapping and the network mode/,
        ],
        [
          {},
          { PublishAllPorts: true },
          /conflicting options: port publishing and the container type network mode/,
        ],
        [
          { ExposedPorts: { '80/tcp': {} } },
          {},
          /conflicting options: port exposing and the container type network mode/,
        ],
        [{}, { Links: ['stays:s'] }, /conflicting options: container type network can't be used with links/],
      ];
      for (const [config, hostConfig, text] of conflicts) {
        const HostConfig = { ...hostConfig, NetworkMode: 'container:stays' };
        const body = { Image: image, Cmd: ['true'], ...config, HostConfig };
        await answered('POST', '/v1.41/containers/create?name=never', body, 400, text);
      }
    }));
});

describe('requests that are not understood', () => {
  const path = '/v1.41/containers/create?name=never';

  test('malformed JSON', () =>
    leavesNothing(async () => {
      for (const body of ['{', '{"Image": }', 'nonsense']) {
        await answered('POST', path, body, unreadable, /invalid JSON|unexpected|invalid character/i);
      }
    }));

  test('a body of the wrong shape', () =>
    leavesNothing(async () => {
      for (const body of [
        '[]',
        '"text"',
        '{"Image": 7}',
        '{"Image":"busybox","Cmd":{"a":1}}',
        '{"Image":"busybox","Env":"A=1"}',
      ]) {
        const answer = await lab.api<Problem>('POST', path, body);
        assert.equal(answer.status, unreadable, `${body}: ${answer.text}`);
        assert.ok(answer.json.message.length > 10, answer.text);
      }
      await answered(
        'POST',
        path,
        {},
        400,
        /Config cannot be empty in order to create a container|[Nn]o command specified/,
      );
      await answered('POST', path, { Image: image }, 400, /[Nn]o command specified/);
    }));

  test('a body of the wrong type', async () => {
    const answer = await lab.api<Problem>('POST', path, '{"Image":"busybox"}', {
      headers: { 'Content-Type': 'text/plain' },
    });
    assert.equal(answer.status, 400);
    assert.match(answer.json.message, /Content-Type/i);
  });

  test('bad parameters', () =>
    leavesNothing(async () => {
      await answered('POST', '/v1.41/containers/stays/kill?signal=ZZ', undefined, 400, /Invalid signal: ZZ/);
      // 20.10 takes it for the default and waits.
      const wait = '/v1.41/containers/stays/wait?condition=x';
      if (!peer) await answered('POST', wait, undefined, 400, /invalid condition: "x"/);
      await answered('GET', '/v1.41/containers/stays/logs', undefined, 400, /at least one/);
    }));
});

describe('commands that cannot be run', () => {
  test('not found: exit code 127', () =>
    leavesNothing(async () => {
      await refused(`run --rm ${image} no-such-program`, 127, /executable file not found/);
      await refused(`run --rm ${image} /bin/no-such-program`, 127, /no such file or directory/);
      await refused(`run --name never ${image} no-such-program`, 127, /no-such-program/);
      const { State } = await inspect(lab, 'never');
      assert.equal(State.Status, 'created');
      assert.equal(State.ExitCode, 127);
      assert.equal(State.Pid, 0);
      await remove('never');
    }));

  test('not executable: exit code 126', () =>
    leavesNothing(async () => {
      await refused(`run --rm ${image} /etc/not-executable`, 126, /permission denied/);
      await refused(`run --rm ${image} /www`, 126, /permission denied|is a directory/);
    }));

  test('an unknown user', () =>
    leavesNothing(async () => {
      await refused(`run --rm -u nobody-here ${image} true`, 125, /unable to find user nobody-here/);
    }));
});

describe('what is asked too late', () => {
  test('stopping and killing what is stopped, starting what runs', () =>
    leavesNothing(async () => {
      await create('done', { Cmd: ['true'], HostConfig: { NetworkMode: 'none' } });
      assert.equal((await lab.api('POST', '/v1.41/containers/done/start')).status, 204);
      await lab.api('POST', '/v1.41/containers/done/wait');
      const { Id } = await inspect(lab, 'done');
      const stopped = await lab.api('POST', '/v1.41/containers/done/stop');
      assert.equal(stopped.status, 304);
      assert.equal(stopped.text, '');
      const text = new RegExp(`Cannot kill container: done: Container ${Id} is not running`);
      await answered('POST', '/v1.41/containers/done/kill', undefined, 409, text);
      await remove('done');
      assert.equal((await lab.api('POST', '/v1.41/containers/stays/start')).status, 304);
    }));

  test('removing what runs', () =>
    leavesNothing(async () => {
      const text = /running container|container is running/;
      await answered('DELETE', '/v1.41/containers/stays', undefined, 409, text);
    }));

  test('removing an image in use', () =>
    leavesNothing(async () => {
      await answered(
        'DELETE',
        `/v1.41/images/${image}`,
        undefined,
        409,
        /conflict: unable to remove repository reference/,
      );
    }));
});

test('a pool without a free address: the start fails, the next one works when an address is free', async () => {
  await using small = await Lab.create();
  await small.startEngine({ args: ['--bip', '10.99.0.1/30'] });
  await small.importBusybox();
  await small.docker(`run --rm ${image} true`);
  await small.docker(`run -d --name only ${image} sleep 600`);
  assert.equal(await addressOf(small, 'only'), '10.99.0.2');
  const before = await takeInventory(small, small.engine);
  const result = await small.docker(`run --rm ${image} true`, { allowFailure: true });
  assert.equal(result.code, 125);
  assert.match(result.stderr, /no available IPv4 addresses on this network's address pools: bridge/);
  await expectSameInventory(small, before, small.engine);
  await removeContainers(small, 'only');
  assert.match(await small.dockerOutput(`run --rm ${image} ip -br -4 addr show eth0`), /10\.99\.0\.2\/30/);
});

describe('daemons that must not come up', aboutOurs, () => {
  /** Starts a daemon that must end by itself with an error, and returns what it wrote. */
  async function endsWith(where: Lab, argv: readonly string[], complaint: RegExp): Promise<void> {
    const before = await takeInventory(where);
    const result = await where.run(argv, { allowFailure: true, timeoutMs: 15_000 });
    assert.notEqual(result.code, 0);
    assert.match(result.stdout + result.stderr, complaint);
    assert.doesNotMatch(result.stdout + result.stderr, /^\s+at /m, 'no stack trace for the user');
    await expectSameInventory(where, before);
  }

  test('a second daemon on the same data root', async () => {
    const plan = lab.planDaemon({ name: 'second', dataRoot: lab.engine.dataRoot });
    await endsWith(lab, plan.argv, /data root|already/i);
    assert.equal(await lab.dockerOutput('ps --filter name=stays --format {{.Names}}'), 'stays');
    await expectSameInventory(lab, clean, lab.engine);
  });

  test('a second daemon on the same socket', async () => {
    const plan = lab.planDaemon({ dataRoot: '/run/lab/other/data', execRoot: '/run/lab/other/exec' });
    await endsWith(lab, plan.argv, /socket|already|in use|pid/i);
    assert.equal((await lab.api('GET', '/_ping')).text, 'OK');
  });

  test('a docker0 that Seaway did not make: it is left as it is, and the message names the flag', async () => {
    await using other = await Lab.create();
    await other.run('ip link add docker0 type bridge');
    await other.run('ip address add 10.7.0.1/24 dev docker0');
    await endsWith(other, other.planDaemon().argv, /docker0.*--bridge/s);
  });

  test('a read-only data root', async () => {
    await using other = await Lab.create();
    await other.run('mkdir -p /run/lab/read-only');
    await other.run('mount -t tmpfs -o ro tmpfs /run/lab/read-only');
    await endsWith(other, other.planDaemon({ dataRoot: '/run/lab/read-only' }).argv, /read-only/);
  });

  test('a full data root', async () => {
    await using other = await Lab.create();
    await other.run('mkdir -p /run/lab/full');
    await other.run('mount -t tmpfs -o size=64k tmpfs /run/lab/full');
    await other.run(['sh', '-c', 'head -c 100000 /dev/zero > /run/lab/full/filler || :']);
    await endsWith(other, other.planDaemon({ dataRoot: '/run/lab/full' }).argv, /full|space/i);
  });

  test('bad flags and values', async () => {
    await using other = await Lab.create();
    const { argv } = other.planDaemon();
    await endsWith(other, [...argv, '--no-such-flag'], /--no-such-flag/);
    await endsWith(other, [...argv, '--bip', 'junk'], /bip|junk/);
    await endsWith(other, [...argv, '--mtu', 'many'], /mtu|many/);
    await endsWith(other, [...argv, '-H', 'junk://x'], /junk/);
  });
});

test(
  'a data root that fills up while the daemon runs: clear errors, and work goes on when there is space',
  aboutOurs,
  async () => {
    await using small = await Lab.create();
    await small.run('mkdir -p /run/lab/small');
    await small.run('mount -t tmpfs -o size=32m tmpfs /run/lab/small');
    await small.startDaemon({ dataRoot: '/run/lab/small' });
    await small.importBusybox();
    const empty = await takeInventory(small, small.engine);
    await small.docker(`run --rm ${image} true`);
    await expectSameInventory(small, empty, small.engine);
    const before = await takeInventory(small, small.engine);
    await small.run(['sh', '-c', 'cat /dev/zero > /run/lab/small/filler || :']);
    const result = await small.docker(`run --rm ${image} true`, { allowFailure: true });
    assert.equal(result.code, 125, result.stderr);
    assert.match(result.stderr, /space|full/i);
    await small.run('rm /run/lab/small/filler');
    await expectSameInventory(small, before, small.engine);
    await small.docker(`run --rm ${image} true`);
  },
);

test('an oversized body is refused and the daemon goes on', aboutOurs, async () => {
  const body = `{"Image":"busybox","Cmd":["true"],"Labels":{"big":"${'x'.repeat(20_000_000)}"}}`;
  await leavesNothing(async () => {
    await answered('POST', '/v1.41/containers/create?name=never', body, 413, /too large/i);
  });
});

test('a client that hangs up in the middle leaves nothing behind', () =>
  leavesNothing(async () => {
    const client = spawn('docker', ['run', '--name', 'orphan', image, 'sleep', '600'], {
      env: { ...lab.env, DOCKER_HOST: `unix://${lab.engine.socket}` },
      stdio: 'ignore',
    });
    await eventually(async () => assert.equal((await inspect(lab, 'orphan')).State.Running, true));
    client.kill('SIGKILL');
    await once(client, 'exit');
    // The container is the user's and goes on without the client.
    assert.equal((await inspect(lab, 'orphan')).State.Running, true);
    await removeContainers(lab, 'orphan');
  }));
