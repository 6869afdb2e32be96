/** GET /_ping, /version and /info. */
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { formatSubnet } from '@seaway/engine';
import { limitWarnings, toDockerLimits } from '../docker/limit-info.ts';
import { type ApiVersion, MAX_API_VERSION, MIN_API_VERSION } from '../http/version.ts';
import type { RouteApp, RouteContext } from './context.ts';

/** Docker names architectures as Go does in `version`, and as uname(1) does in `info`. */
const goArchitecture = arch() === 'x64' ? 'amd64' : arch();
const machine = arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch();

/** From this version on security options are `key=value` pairs. */
const NAMED_SECURITY_OPTIONS: ApiVersion = 125;
/** From this version on `info` tells what the firewall is made with. */
const FIREWALL_BACKEND: ApiVersion = 149;

export function systemRoutes(app: RouteApp, { engine, version, labels }: RouteContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/_ping',
    handler: (request, reply) =>
      reply
        .headers({
          'Cache-Control': 'no-cache, no-store, must-revalidate',
          Pragma: 'no-cache',
          'Builder-Version': '1',
          Swarm: 'inactive',
        })
        .type('text/plain; charset=utf-8')
        .send(request.method === 'HEAD' ? '' : 'OK'),
  });

  app.get('/version', async () => ({
    Platform: { Name: 'Seaway' },
    Components: [
      {
        Name: 'Engine',
        Version: version,
        Details: {
          ApiVersion: MAX_API_VERSION,
          MinAPIVersion: MIN_API_VERSION,
          Os: 'linux',
          Arch: goArchitecture,
          KernelVersion: release(),
          NodeVersion: process.version,
          GitCommit: '',
          GoVersion: '',
          BuildTime: '',
          Experimental: 'false',
        },
      },
    ],
    Version: version,
    ApiVersion: MAX_API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: goArchitecture,
    KernelVersion: release(),
    BuildTime: '',
  }));

  // There is no builder here, so there is nothing that it keeps; `docker system prune` asks.
  app.post('/build/prune', async () => ({ CachesDeleted: null, SpaceReclaimed: 0 }));

  app.get('/info', async ({ apiVersion }) => {
    const containers = engine.containers.list();
    const running = containers.filter(({ state }) => state.status === 'running').length;
    const paused = containers.filter(({ state }) => state.status === 'paused').length;
    const { options, limits } = engine;
    const warnings = [...limitWarnings(limits), ...(await engine.networks.warnings())];
    return {
      ID: engine.id,
      Name: hostname(),
      Containers: containers.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: containers.length - running - paused,
      Images: engine.images.list().length,
      Driver: 'overlay2',
      DriverStatus: [],
      Plugins: {
        Volume: ['local'],
        Network: ['bridge', 'host', 'null'],
        Authorization: null,
        Log: ['json-file', 'local'],
      },
      ...toDockerLimits(limits),
      IPv4Forwarding: readSetting('/proc/sys/net/ipv4/ip_forward') === '1',
      Debug: false,
      NFd: 0,
      NGoroutines: 0,
      SystemTime: new Date().toISOString(),
      LoggingDriver: 'json-file',
      CgroupDriver: 'cgroupfs',
      NEventsListener: 0,
      KernelVersion: release(),
      OperatingSystem: operatingSystem(),
      OSVersion: '',
      OSType: 'linux',
      Architecture: machine,
      IndexServerAddress: '',
      RegistryConfig: null,
      NCPU: cpus().length,
      MemTotal: totalmem(),
      GenericResources: null,
      DockerRootDir: options.dataRoot,
      HttpProxy: '',
      HttpsProxy: '',
      NoProxy: '',
      Labels: labels,
      ExperimentalBuild: false,
      ServerVersion: version,
      Runtimes: { 'io.containerd.runc.v2': { path: options.runc }, runc: { path: options.runc } },
      DefaultRuntime: 'runc',
      Swarm: {
        NodeID: '',
        NodeAddr: '',
        LocalNodeState: 'inactive',
        ControlAvailable: false,
        Error: '',
        RemoteManagers: null,
      },
      LiveRestoreEnabled: true,
      Isolation: '',
      InitBinary: 'docker-init',
      SecurityOptions: [
        apiVersion < NAMED_SECURITY_OPTIONS ? 'seccomp' : 'name=seccomp,profile=builtin',
        // Where containers have control group namespaces of their own unless they ask for others.
        ...(limits.cgroupVersion === 2 && limits.cgroupNamespaces ? ['name=cgroupns'] : []),
      ],
      DefaultAddressPools: options.network.addressPools.map(({ base, size }) => ({
        Base: formatSubnet(base),
        Size: size,
      })),
      ...(apiVersion >= FIREWALL_BACKEND ? { FirewallBackend: { Driver: 'nftables' } } : {}),
      Warnings: warnings.length > 0 ? warnings.map((warning) => `WARNING: ${warning}`) : null,
    };
  });
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The distribution's own name; os-release(5). */
function operatingSystem(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readSetting('/etc/os-release') ?? '')?.[1] ?? 'Linux';
}
