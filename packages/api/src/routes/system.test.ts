import assert from 'node:assert/strict';
import { hostname, release } from 'node:os';
import { test } from 'node:test';
import { containerRecord, fakeEngine, runningRecord } from '../fixtures/engine.ts';
import { MAX_API_VERSION, MIN_API_VERSION } from '../http/version.ts';
import { buildApi } from '../server.ts';

const api = buildApi(fakeEngine({ containers: [runningRecord(), containerRecord()] }), {
  version: '1.2.3',
  labels: ['rack=7'],
});

test('version has every field that the docker client prints', async () => {
  const shown = (await api.inject({ url: '/version' })).json();
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  const common = {
    ApiVersion: MAX_API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    Os: 'linux',
    Arch: arch,
    KernelVersion: release(),
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  };
  assert.deepEqual(shown, {
    Platform: { Name: 'Seaway' },
    Version: '1.2.3',
    ...common,
    Components: [
      {
        Name: 'Engine',
        Version: '1.2.3',
        Details: { ...common, NodeVersion: process.version, Experimental: 'false' },
      },
    ],
  });
});

test('info has every field that the docker client reads, in its type', async () => {
  const shown = (await api.inject({ url: '/v1.41/info' })).json();
  const types = {
    string: [
      ...['ID', 'Name', 'Driver', 'KernelVersion', 'OperatingSystem', 'OSType', 'Architecture', 'SystemTime'],
      ...[
        'DockerRootDir',
        'ServerVersion',
        'DefaultRuntime',
        'CgroupDriver',
        'CgroupVersion',
        'LoggingDriver',
      ],
    ],
    number: [
      'Containers',
      'ContainersRunning',
      'ContainersPaused',
      'ContainersStopped',
      'Images',
      'NCPU',
      'MemTotal',
    ],
    boolean: [
      ...['MemoryLimit', 'SwapLimit', 'CpuCfsPeriod', 'CpuCfsQuota', 'CPUShares', 'CPUSet', 'PidsLimit'],
      ...['IPv4Forwarding', 'OomKillDisable', 'LiveRestoreEnabled', 'ExperimentalBuild', 'Debug'],
    ],
  };
  for (const [type, fields] of Object.entries(types)) {
    for (const field of fields) assert.equal(typeof shown[field], type, field);
  }
  assert.deepEqual(
    [
      shown.Containers,
      shown.ContainersRunning,
      shown.ContainersPaused,
      shown.ContainersStopped,
      shown.Images,
    ],
    [2, 1, 0, 1, 1],
  );
  assert.equal(shown.Name, hostname());
  assert.equal(shown.ServerVersion, '1.2.3');
  assert.equal(shown.DockerRootDir, '/data');
  assert.deepEqual(shown.Labels, ['rack=7']);
  assert.deepEqual(shown.Plugins.Network, ['bridge', 'host', 'null']);
  assert.equal(shown.Swarm.LocalNodeState, 'inactive');
  assert.deepEqual(shown.Runtimes.runc, { path: 'runc' });
  assert.equal(shown.InitBinary, 'docker-init');
  assert.equal(shown.Warnings, null);
});

test('info tells newer clients what the firewall is made with, and older ones the options of security alone', async () => {
  const at = async (version: string) => (await api.inject({ url: `/v${version}/info` })).json();
  assert.equal((await at('1.48')).FirewallBackend, undefined);
  assert.deepEqual((await at('1.49')).FirewallBackend, { Driver: 'nftables' });
  assert.deepEqual((await at('1.24')).SecurityOptions, ['seccomp']);
  assert.deepEqual((await at('1.25')).SecurityOptions, ['name=seccomp,profile=builtin']);
});

test('info warns as the engine does, in the form of dockerd', async () => {
  const engine = fakeEngine({ networkMethods: { warnings: async () => ['the sky falls'] } });
  const shown = (await buildApi(engine, { version: '1.2.3', labels: [] }).inject({ url: '/info' })).json();
  assert.deepEqual(shown.Warnings, ['WARNING: the sky falls']);
});
