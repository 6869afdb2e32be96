/**
 * What clients of different API versions see and may ask for, version by version: each table has the last version of
 * an old behaviour and the first of the new one, and the oldest and the newest that are spoken.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { before, describe, test } from 'node:test';
import { newestVersion, RawApi } from './lab/raw-api.ts';
import { busyboxRootfs } from './lab/rootfs.ts';
import { eventually, image, openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

/** The oldest version, those around a change, and the newest, with whether the change is seen in each. */
function around(change: string): (readonly [version: string, isNew: boolean])[] {
  const minor = Number(change.split('.')[1]);
  const versions = ['1.24', `1.${minor - 1}`, change, '1.41', '1.44', newestVersion];
  return [...new Set(versions)].map((version) => [version, Number(version.split('.')[1]) >= minor]);
}

/** One test for each version that matters to a change. */
function since(
  change: string,
  what: string,
  check: (client: RawApi, isNew: boolean, version: string) => Promise<void>,
): void {
  for (const [version, isNew] of around(change)) {
    test(`${what}: ${isNew ? 'as since' : 'as before'} ${change} in ${version}`, () =>
      check(api.at(version), isNew, version));
  }
}

/** The head of the answer to a request that takes the connection over. */
function headOf(version: string, path: string, body = '', upgrade = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(lab.engine.socket, () => {
      const headers = [
        ...['Host: docker', 'Content-Type: application/json', `Content-Length: ${body.length}`],
        ...(upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : []),
      ];
      socket.write(`POST /v${version}${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`${path}: no answer`)));
    socket.once('data', (data) => {
      resolve(data.toString('latin1').split('\r\n\r\n', 1)[0]!);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

before(async () => {
  await api.createNetwork('shop', { IPAM: { Config: [{ Subnet: '10.66.0.0/24' }] } });
  await api.run('up', 'shop', { Cmd: ['sh', '-c', 'echo hello; exec sleep 600'] });
  await api.run('terminal', 'none', { Cmd: ['sh', '-c', 'echo hello; exec sleep 600'], Tty: true });
});

describe('networks', () => {
  since('1.28', 'the list has containers', async (client, isNew) => {
    const shop = (await client.get<{ Name: string; Containers?: object }[]>('/networks')).find(
      ({ Name }) => Name === 'shop',
    );
    if (isNew) assert.equal(shop?.Containers, undefined);
    else assert.equal(Object.keys(shop?.Containers ?? {}).length, 1);
  });

  since('1.44', 'a new container names several', async (client, isNew) => {
    const body = {
      Image: image,
      Cmd: ['true'],
      HostConfig: { NetworkMode: 'shop' },
      NetworkingConfig: { EndpointsConfig: { shop: {}, bridge: {} } },
    };
    const answer = await client.send<{ Id: string; message: string }>('POST', '/containers/create', body);
    if (isNew) {
      assert.equal(answer.status, 201, answer.text);
      await client.removeContainers(answer.json.Id);
    } else {
      const message = 'Container cannot be created with multiple network endpoints: shop, bridge';
      assert.deepEqual([answer.status, answer.json.message], [400, message]);
    }
  });

  since('1.44', 'an endpoint has a MAC address of its own', async (client, isNew) => {
    const MacAddress = '02:00:00:00:00:07';
    const id = await client.run('own-mac', 'shop', {}, { shop: { MacAddress } });
    assert.equal((await client.endpoint(id, 'shop')).MacAddress === MacAddress, isNew);
    await client.removeContainers(id);
  });

  since('1.48', 'IPv4 may be switched off, and a gateway preferred', async (client, isNew) => {
    await client.createNetwork('six', { EnableIPv4: false, EnableIPv6: true });
    assert.equal((await client.network('six')).EnableIPv4, !isNew);
    const id = await client.createContainer('preferring', 'six', {}, { six: { GwPriority: 7 } });
    assert.equal((await client.endpoint(id, 'six')).GwPriority, isNew ? 7 : 0);
    await client.removeContainers(id);
    await client.removeNetworks('six');
  });

  since('1.48', 'kernel parameters of eth0 are no longer moved to the network', async (client, isNew) => {
    const Sysctls = { 'net.ipv4.conf.eth0.log_martians': '1' };
    const body = { Image: image, Cmd: ['cat', '/proc/sys/net/ipv4/conf/eth0/log_martians'] };
    const answer = await client.send<{ Id: string; Warnings: string[]; message: string }>(
      'POST',
      '/containers/create',
      { ...body, HostConfig: { NetworkMode: 'shop', Sysctls } },
    );
    if (isNew) {
      assert.equal(answer.status, 400, answer.text);
      assert.match(
        answer.json.message,
        /must be supplied using driver option 'com.docker.network.endpoint.sysctls'$/,
      );
      return;
    }
    assert.match(
      answer.json.Warnings[0] ?? '',
      /^Migrated sysctl "net\.ipv4\.conf\.eth0\.log_martians" to DriverOpts/,
    );
    const { Id } = answer.json;
    await client.start(Id);
    assert.equal((await client.ask<{ StatusCode: number }>('POST', `/containers/${Id}/wait`)).StatusCode, 0);
    assert.match((await client.send('GET', `/containers/${Id}/logs?stdout=1`)).text, /1\n$/);
    await client.removeContainers(Id);
  });
});

describe('containers', () => {
  since('1.25', 'the daemon removes what should not outlive its end', async (client, isNew) => {
    const id = await client.createContainer('brief', 'none', {
      Cmd: ['true'],
      HostConfig: { AutoRemove: true },
    });
    await client.start(id);
    if (isNew) {
      await eventually(async () =>
        assert.equal((await client.send('GET', `/containers/${id}/json`)).status, 404),
      );
    } else {
      await client.ask('POST', `/containers/${id}/wait`);
      assert.equal((await client.inspect(id)).State.Status, 'exited');
      await client.removeContainers(id);
    }
  });

  since('1.30', 'waiting has a condition', async (client, isNew) => {
    const id = await client.createContainer('never', 'none');
    const bad = await client.send('POST', `/containers/${id}/wait?condition=sometimes`);
    assert.equal(bad.status, isNew ? 400 : 200);
    if (isNew) assert.equal(bad.json.message, 'invalid condition: "sometimes"');
    else assert.match(bad.text, /^\{"StatusCode":0\b/);
    await client.removeContainers(id);
  });

  since('1.40', 'the IPC namespace is its own', async (client, isNew) => {
    const id = await client.createContainer('talking', 'none');
    const { HostConfig } = await client.get<{ HostConfig: { IpcMode: string } }>(`/containers/${id}/json`);
    assert.equal(HostConfig.IpcMode, isNew ? 'private' : 'shareable');
    await client.removeContainers(id);
  });

  since('1.41', 'the platform of the image may be named', async (client, isNew) => {
    const create = (platform: string) =>
      client.send<{ Id: string; message: string }>(
        'POST',
        `/containers/create?platform=${encodeURIComponent(platform)}`,
        { Image: image, Cmd: ['true'] },
      );
    const answers = [
      await create('linux/s390x'),
      await create('nonsense'),
      await create('linux'),
      await create(process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64'),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      isNew ? [404, 400, 201, 201] : [201, 201, 201, 201],
    );
    if (isNew)
      assert.match(answers[0]!.json.message, /does not match the specified platform \(linux\/s390x\)$/);
    await client.removeContainers(...answers.flatMap(({ status, json }) => (status === 201 ? json.Id : [])));
  });

  since('1.42', 'the signal that stops may be chosen', async (client, isNew) => {
    const script = 'trap "exit 3" TERM; trap "exit 4" USR1; echo ready; while :; do sleep 0.05; done';
    const id = await client.run('choosy', 'none', { Cmd: ['sh', '-c', script] });
    await eventually(async () => {
      assert.match((await client.send('GET', `/containers/${id}/logs?stdout=1`)).text, /ready/);
    });
    await client.ask('POST', `/containers/${id}/stop?signal=USR1&t=20`);
    assert.equal((await client.inspect(id)).State.ExitCode, isNew ? 4 : 3);
    await client.removeContainers(id);
  });

  since('1.42', 'a command begins with a terminal of the right size', async (client, isNew) => {
    const body = { AttachStdout: true, Tty: true, Cmd: ['stty', 'size'] };
    const { Id } = await client.ask<{ Id: string }>('POST', '/containers/up/exec', body);
    const { text } = await client.send('POST', `/exec/${Id}/start`, { Tty: true, ConsoleSize: [33, 77] });
    assert.equal(text.includes('33 77'), isNew, text);
  });

  since('1.42', 'only volumes without a name are pruned', async (client, isNew) => {
    await client.ask('POST', '/volumes/create', { Name: 'named' });
    const { VolumesDeleted } = await client.ask<{ VolumesDeleted: string[] | null }>(
      'POST',
      '/volumes/prune',
    );
    assert.deepEqual(VolumesDeleted ?? [], isNew ? [] : ['named']);
    if (isNew) await client.ask('DELETE', '/volumes/named');
  });

  since('1.42', 'streams that are framed say so', async (client, isNew, version) => {
    const raw = 'application/vnd.docker.raw-stream';
    const framed = isNew ? 'application/vnd.docker.multiplexed-stream' : raw;
    const logs = await client.send('GET', '/containers/up/logs?stdout=1');
    assert.equal(logs.headers['content-type'], framed);
    const ofTerminal = await client.send('GET', '/containers/terminal/logs?stdout=1');
    assert.equal(ofTerminal.headers['content-type'], raw);

    const attach = (name: string) => `/containers/${name}/attach?stream=1&stdout=1`;
    assert.match(
      await headOf(version, attach('up')),
      new RegExp(`^HTTP/1.1 101 [^]*Content-Type: ${framed}`),
    );
    assert.match(
      await headOf(version, attach('up'), '', false),
      new RegExp(`^HTTP/1.1 200 [^]*Content-Type: ${raw}`),
    );
    assert.match(
      await headOf(version, attach('terminal')),
      new RegExp(`^HTTP/1.1 101 [^]*Content-Type: ${raw}`),
    );
    const body = { AttachStdout: true, Cmd: ['echo', 'hello'] };
    const { Id } = await client.ask<{ Id: string }>('POST', '/containers/up/exec', body);
    const head = await headOf(version, `/exec/${Id}/start`, '{"Detach":false,"Tty":false}');
    assert.match(head, new RegExp(`^HTTP/1.1 101 [^]*Content-Type: ${framed}`));
  });

  since('1.44', 'the names that others find a container by are listed', async (client, isNew) => {
    assert.equal((await client.endpoint('up', 'shop')).DNSNames?.includes('up'), isNew || undefined);
  });

  since('1.44', 'a health check may begin with a shorter interval', async (client, isNew) => {
    const Healthcheck = { Test: ['CMD', 'true'], StartPeriod: 1e9, StartInterval: 5e6 };
    const id = await client.createContainer('checked', 'none', { Healthcheck });
    type Shown = { Config: { Healthcheck: { StartInterval?: number } } };
    const { Config } = await client.get<Shown>(`/containers/${id}/json`);
    assert.equal(Config.Healthcheck.StartInterval ?? 0, isNew ? 5e6 : 0);
    await client.removeContainers(id);
  });

  since('1.44', 'a MAC address of the whole container is out of use', async (client, isNew) => {
    const body = { Image: image, Cmd: ['true'], MacAddress: '02:00:00:00:00:08' };
    const { Id, Warnings } = await client.ask<{ Id: string; Warnings: string[] }>(
      'POST',
      '/containers/create',
      body,
    );
    assert.equal(Warnings.length, isNew ? 1 : 0);
    if (isNew) assert.match(Warnings[0]!, /^The container-wide MacAddress field is now deprecated\./);
    await client.removeContainers(Id);
  });

  since('1.45', 'the short id is no alias', async (client, isNew) => {
    const { Id } = await client.inspect('up');
    const { Aliases } = await client.endpoint('up', 'shop');
    assert.equal(Aliases?.includes(Id.slice(0, 12)) ?? false, !isNew);
  });
});

describe('images and the daemon', () => {
  since('1.41', 'a pattern for names of images is one of the filters', async (client, isNew) => {
    const list = await client.get<object[]>('/images/json?filter=nope');
    assert.equal(list.length, isNew ? 1 : 0);
  });

  since('1.43', 'an image without a name has none', async (client, isNew) => {
    // The last line that an import says is the new image's id.
    const imported = await lab.api<{ status: string }>('POST', '/images/create?fromSrc=-', busyboxRootfs(), {
      headers: { 'Content-Type': 'application/x-tar' },
    });
    type Listed = { Id: string; RepoTags: readonly string[] };
    const id = imported.json.status;
    const listed = (await client.get<Listed[]>('/images/json')).find(({ Id }) => Id === id);
    assert.deepEqual(listed?.RepoTags, isNew ? [] : ['<none>:<none>']);
    await client.ask('DELETE', `/images/${id}`);
  });

  since('1.44', 'the size of an image is told once', async (client, isNew) => {
    const [listed] = await client.get<{ VirtualSize?: number }[]>('/images/json');
    const inspected = await client.get<{ VirtualSize?: number }>(`/images/${image}/json`);
    for (const shown of [listed, inspected]) assert.equal(shown?.VirtualSize === undefined, isNew);
  });

  since('1.45', 'an image tells of no container', async (client, isNew) => {
    const shown = await client.get<{ Container?: string }>(`/images/${image}/json`);
    assert.equal(shown.Container === undefined, isNew);
  });

  since('1.50', 'the configuration of an image has nothing that is for containers', async (client, isNew) => {
    const { Config } = await client.get<{ Config: object }>(`/images/${image}/json`);
    assert.equal('Hostname' in Config, !isNew);
  });

  since('1.49', 'the firewall says what it is made with', async (client, isNew) => {
    const { FirewallBackend } = await client.get<{ FirewallBackend?: { Driver: string } }>('/info');
    assert.equal(FirewallBackend?.Driver, isNew ? 'nftables' : undefined);
  });

  test('events have the old fields beside the new ones in every version that is spoken', async () => {
    const begin = (Date.now() / 1000 - 1).toFixed(3);
    const id = await api.createContainer('seen', 'none');
    const end = (Date.now() / 1000 + 0.001).toFixed(3);
    for (const version of ['1.24', '1.41', newestVersion]) {
      const { text } = await api.at(version).send('GET', `/events?since=${begin}&until=${end}`);
      const created = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .findLast(({ Action, Type }) => Action === 'create' && Type === 'container');
      assert.deepEqual([created?.status, created?.id, created?.from], ['create', id, image], version);
    }
    await api.removeContainers(id);
  });

  test('every version is told the newest', async () => {
    for (const version of ['1.24', '1.40', '1.41', '1.44', newestVersion]) {
      const { headers } = await api.at(version).send('GET', '/_ping');
      assert.equal(headers['api-version'], newestVersion, version);
    }
  });
});
