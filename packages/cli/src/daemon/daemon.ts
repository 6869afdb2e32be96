/** `seaway daemon`: reads the options, opens the engine, serves the API, and ends on SIGTERM or SIGINT. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { buildApi, createApiServer } from '@seaway/api';
import {
  defaultSubnetPools,
  Engine,
  type EngineOptions,
  findProgram,
  messageOf,
  parseHostAddress,
  parseSubnetPool,
} from '@seaway/engine';
import { type Logger, pino } from 'pino';
import manifest from '../../package.json' with { type: 'json' };
import { listen, parseListenAddress } from './listen.ts';
import { type DaemonOptions, formatHelp, OptionError, parseDaemonOptions } from './options.ts';

/** Programs that the engine runs, by the Debian package that has each. */
const neededPrograms = { conmon: 'conmon', umoci: 'umoci', tar: 'tar' } as const;

/** Runs the daemon until a signal ends it. @returns the process's exit code */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  try {
    const parsed = parseDaemonOptions(argv);
    if (parsed.kind === 'help') {
      process.stdout.write(formatHelp());
      return 0;
    }
    await serve(parsed.options);
    return 0;
  } catch (error) {
    const isUsage = error instanceof OptionError;
    process.stderr.write(`seaway daemon: ${messageOf(error)}\n`);
    return isUsage ? 2 : 1;
  }
}

async function serve(options: DaemonOptions): Promise<void> {
  checkMachine(options);
  const addresses = (options.host.length > 0 ? options.host : ['unix:///run/seaway.sock']).map(
    parseListenAddress,
  );
  const log = pino(
    { level: options.debug ? 'debug' : options['log-level'] },
    pino.destination({ fd: 2, sync: true }),
  );
  reportAccidents(log);
  const stopRequested = nextSignal();
  await using _pidFile = claimPidFile(options.pidfile);
  await using engine = await Engine.open(engineOptions(options, log));
  const api = buildApi(engine, { version: manifest.version, labels: options.label });
  const servers: Server[] = [];
  for (const address of addresses) {
    const server = await createApiServer(api);
    await listen(server, address);
    servers.push(server);
  }
  log.info({ hosts: options.host, dataRoot: options['data-root'] }, 'API listens');
  const signal = await stopRequested;
  log.info({ signal }, 'stopping; containers go on');
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  for (const address of addresses) if (address.kind === 'unix') rmSync(address.path, { force: true });
}

/**
 * A promise that nobody awaited is one operation gone wrong: it is reported, and the others go on. After an exception
 * outside any operation nothing can be relied on: the daemon ends, and the next one finds everything again.
 */
function reportAccidents(log: Logger): void {
  process.on('unhandledRejection', (reason) => log.error({ err: reason }, 'an operation failed unnoticed'));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'unexpected failure; the daemon ends and containers go on');
    process.exit(1);
  });
}

/** @throws Error with one sentence on what is missing */
function checkMachine(options: DaemonOptions): void {
  if (process.platform !== 'linux') throw new Error(`Linux is needed; this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new Error('root is needed, to make network namespaces and links');
  const runtime = options['default-runtime'];
  for (const [program, debianPackage] of Object.entries({ ...neededPrograms, [runtime]: runtime })) {
    if (!findProgram(program)) {
      throw new Error(`the program ${program} is missing; on Debian: apt-get install ${debianPackage}`);
    }
  }
}

function engineOptions(options: DaemonOptions, log: Logger): EngineOptions {
  const pools = options['default-address-pool'].map(parseSubnetPool);
  const bindAddress = parseHostAddress(options.ip);
  const { bip, 'fixed-cidr': fixedCidr, 'default-gateway': defaultGateway } = options;
  return {
    dataRoot: options['data-root'],
    execRoot: options['exec-root'],
    network: {
      bridge: options.bridge,
      mtuBytes: options.mtu,
      interContainer: options.icc,
      masquerade: options['ip-masq'],
      ipForward: options['ip-forward'],
      addressPools: pools.length > 0 ? pools : defaultSubnetPools,
      ...(bip ? { bip } : {}),
      ...(fixedCidr ? { fixedCidr } : {}),
      ...(defaultGateway ? { defaultGateway } : {}),
      // dockerd's word for every address, IPv6 ones too; for a single binding it would mean those of IPv4.
      ...(bindAddress === '0.0.0.0' ? {} : { defaultBindAddress: bindAddress }),
    },
    resolver: { dns: options.dns, dnsSearch: options['dns-search'], dnsOptions: options['dns-opt'] },
    hostGateways: options['host-gateway-ip'],
    registries: {
      insecureRegistries: options['insecure-registry'],
      mirrors: options['registry-mirror'],
      concurrentDownloads: options['max-concurrent-downloads'],
      concurrentUploads: options['max-concurrent-uploads'],
      attempts: options['max-download-attempts'],
    },
    cgroupParent: options['cgroup-parent'],
    runc: options['default-runtime'],
    conmon: 'conmon',
    log,
  };
}

/** Writes the process id, unless a living daemon's stands there. */
function claimPidFile(path: string): Disposable {
  const owner = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (/^\d+$/.test(owner) && owner !== String(process.pid) && isSeaway(owner)) {
    throw new Error(`a daemon runs already: ${path} names process ${owner}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${process.pid}\n`);
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** A pid from an old file may be another program's by now. */
function isSeaway(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0daemon');
  } catch {
    return false;
  }
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}
