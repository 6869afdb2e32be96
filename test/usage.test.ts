/**
 * What containers use and may use: docker stats, top and update, over the wire and through the docker client.
 */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { RawApi, type Refusal } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

interface ShownStats {
  readonly name: string;
  readonly id: string;
  readonly read: string;
  readonly preread: string;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly cpu_stats: ShownCpu;
  readonly precpu_stats: ShownCpu;
  readonly memory_stats: { readonly usage?: number; readonly limit?: number; readonly stats?: object };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_packets: number }>>;
}
interface ShownCpu {
  readonly cpu_usage: { readonly total_usage: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

await lab.docker(['run', '-d', '--name', 'busy', '-m', '64m', image, 'sh', '-c', 'while :; do :; done']);
await lab.docker(['run', '-d', '--name', 'quiet', image, 'sh', '-c', 'sleep 611 & sleep 612']);
const { Id: quiet } = await api.inspect('quiet');

describe('stats', () => {
  const once = (name: string, query: string) => api.get<ShownStats>(`/containers/${name}/stats?${query}`);

  test('of two looks a second apart tell what was used between them', async () => {
    await lab.docker(['exec', 'quiet', 'sh', '-c', 'echo ping | nc -w 1 172.17.0.1 9 || true']);
    const begun = performance.now();
    const [busy, idle] = await Promise.all([once('busy', 'stream=false'), once('quiet', 'stream=0')]);
    assert.ok(performance.now() - begun > 900);
    const used = ({ cpu_stats: now, precpu_stats: before }: ShownStats) =>
      now.cpu_usage.total_usage - before.cpu_usage.total_usage;
    assert.ok(used(busy) > 10 * used(idle), `${used(busy)} against ${used(idle)}`);
    assert.ok((busy.cpu_stats.system_cpu_usage ?? 0) > (busy.precpu_stats.system_cpu_usage ?? 0));
    assert.ok((busy.cpu_stats.online_cpus ?? 0) >= availableParallelism());
    assert.equal(busy.memory_stats.limit, 64 << 20);
    assert.ok((busy.memory_stats.usage ?? 0) > 0 && Object.keys(busy.memory_stats.stats ?? {}).length > 20);
    assert.deepEqual([idle.pids_stats.current, idle.name, idle.id], [2, '/quiet', quiet]);
    assert.ok(Date.parse(idle.read) - Date.parse(idle.preread) >= 900);
    assert.deepEqual(Object.keys(idle.networks ?? {}), ['eth0']);
    assert.ok((idle.networks?.eth0?.tx_packets ?? 0) > 0);
  });

  test('of one look come at once, and are zeros where nothing runs', async () => {
    const begun = performance.now();
    const look = await once('quiet', 'stream=0&one-shot=1');
    assert.ok(performance.now() - begun < 900);
    assert.equal(look.preread, '0001-01-01T00:00:00Z');
    assert.equal(look.precpu_stats.cpu_usage.total_usage, 0);
    await lab.docker(['create', '--name', 'idle', image, 'true']);
    const zero = await once('idle', 'stream=false');
    assert.deepEqual([zero.read, zero.pids_stats, zero.memory_stats], ['0001-01-01T00:00:00Z', {}, {}]);
    await lab.docker(['run', '-d', '--name', 'hosted', '--network', 'host', image, 'sleep', '600']);
    assert.equal((await once('hosted', 'stream=0&one-shot=1')).networks, undefined);
    await removeContainers(lab, 'idle', 'hosted');
  });

  test('come once a second for as long as the client listens or the container is there', async () => {
    await lab.docker(['run', '-d', '--name', 'leaving', image, 'sleep', '600']);
    const following = api.send('GET', '/containers/leaving/stats');
    const table = await lab.dockerOutput('stats --no-stream --format {{.Name}}:{{.PIDs}}:{{.MemUsage}}');
    assert.match(table, /^quiet:2:.*GiB$/m);
    assert.match(table, /^busy:1:.*64MiB$/m);
    await removeContainers(lab, 'leaving');
    const { text } = await following;
    const looks = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ShownStats);
    assert.ok(looks.length >= 2, text);
    assert.equal(looks[1]?.preread, looks[0]?.read);
  });
});

describe('top', () => {
  test('shows the processes as ps does', async () => {
    const { Titles, Processes } = await api.get<{ Titles: string[]; Processes: string[][] }>(
      '/containers/quiet/top',
    );
    assert.deepEqual(Titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    assert.deepEqual(Processes.map((row) => row.at(-1)).sort(), ['sleep 611', 'sleep 612']);
    const chosen = await lab.dockerOutput('top quiet -eo pid,comm');
    assert.equal(chosen.trim().split('\n').length, 3, chosen);
  });
});

describe('update', () => {
  test('changes the limits of what runs', async () => {
    const changes = [
      '-m',
      '32m',
      '--memory-swap',
      '48m',
      '--cpus',
      '0.5',
      '--cpuset-cpus',
      '0',
      '--pids-limit',
      '20',
    ];
    await lab.docker(['update', ...changes, '--restart', 'on-failure:3', 'busy']);
    // Seen from inside, where the files are those of the host.
    const { stdout } = await lab.docker([
      'exec',
      'busy',
      'sh',
      '-c',
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/cpuset.cpus 2>/dev/null; true',
    ]);
    assert.match(stdout, /^33554432\n50000\b.*\n20\n0$/m);
    const shown = await api.get<{ HostConfig: Record<string, unknown> }>('/containers/busy/json');
    const expected = {
      Memory: 32 << 20,
      MemorySwap: 48 << 20,
      NanoCpus: 5e8,
      CpusetCpus: '0',
      PidsLimit: 20,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    };
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual(shown.HostConfig[name], value, name);
    assert.deepEqual(await api.ask('POST', '/containers/busy/update', { PidsLimit: -1 }), { Warnings: null });
    assert.match(
      await lab.dockerOutput([
        'exec',
        'busy',
        'sh',
        '-c',
        'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true',
      ]),
      /^max/,
    );
  });

  test('changes what a stopped container starts with', async () => {
    await lab.docker([
      'create',
      '--name',
      'later',
      image,
      'sh',
      '-c',
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true',
    ]);
    await lab.docker('update -m 16m --memory-swap 16m later');
    assert.equal((await lab.dockerOutput('start -a later')).trim(), String(16 << 20));
    await removeContainers(lab, 'later');
  });

  test('that the kernel refuses changes nothing', async () => {
    await lab.docker([
      'run',
      '-d',
      '--name',
      'full',
      '-m',
      '64m',
      image,
      'sh',
      '-c',
      'head -c 30m /dev/zero > /dev/shm/fill; sleep 600',
    ]);
    await eventually(async () => {
      const { memory_stats: memory } = await api.get<ShownStats>(
        '/containers/full/stats?stream=0&one-shot=1',
      );
      assert.ok((memory.usage ?? 0) > 30 << 20);
    });
    const answer = await api.send('POST', '/containers/full/update', {
      Memory: 8 << 20,
      MemorySwap: 8 << 20,
    });
    assert.equal(answer.status, 500, answer.text);
    assert.match(answer.json.message ?? '', /^Cannot update container \w{64}: /);
    const { HostConfig } = await api.get<{ HostConfig: { Memory: number } }>('/containers/full/json');
    assert.equal(HostConfig.Memory, 64 << 20);
    await removeContainers(lab, 'full');
  });
});

describe('refusals', () => {
  const refusals: readonly Refusal[] = [
    {
      what: 'stats of nobody',
      method: 'GET',
      path: '/containers/nobody/stats',
      status: 404,
      message: 'No such container: nobody',
    },
    {
      what: 'a stream of one look',
      method: 'GET',
      path: '/containers/quiet/stats?one-shot=1',
      status: 400,
      message: 'cannot have stream=true and one-shot=true',
    },
    {
      what: 'top of nobody',
      method: 'GET',
      path: '/containers/nobody/top',
      status: 404,
      message: 'No such container: nobody',
    },
    {
      what: 'top with a false PID',
      method: 'GET',
      path: `/containers/quiet/top?ps_args=${encodeURIComponent('-e -o ppid=PID')}`,
      status: 400,
      message: 'specifying "ppid=PID" is not allowed',
    },
    {
      what: 'top without PIDs',
      method: 'GET',
      path: `/containers/quiet/top?ps_args=${encodeURIComponent('-o comm')}`,
      status: 500,
      message: "Couldn't find PID field in ps output",
    },
    {
      what: 'an update of nobody',
      path: '/containers/nobody/update',
      body: {},
      status: 404,
      message: 'No such container: nobody',
    },
    {
      what: 'an update to too little memory',
      path: '/containers/quiet/update',
      body: { Memory: 1 },
      status: 400,
      message: 'Minimum memory limit allowed is 6MB',
    },
    {
      what: 'an update of memory alone',
      path: '/containers/quiet/update',
      body: { Memory: 64 << 20 },
      status: 500,
      message: `Cannot update container ${quiet}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
    },
    {
      what: 'an update to an unknown policy',
      path: '/containers/quiet/update',
      body: { RestartPolicy: { Name: 'zz' } },
      status: 400,
      message: /^invalid restart policy/,
    },
    {
      what: 'an update by a text',
      path: '/containers/quiet/update',
      body: { Memory: 'x' },
      status: 400,
      message: /Memory/,
    },
  ];
  for (const refusal of refusals) test(refusal.what, () => api.isRefused(refusal));

  test('top of what does not run', async () => {
    await lab.docker(['create', '--name', 'off', image, 'true']);
    const { Id } = await api.inspect('off');
    await api.isRefused({
      what: '',
      method: 'GET',
      path: '/containers/off/top',
      status: 409,
      message: `Container ${Id} is not running`,
    });
    await removeContainers(lab, 'off');
  });
});
