/**
 * What most stories begin with: a lab with a running engine and the test image in it, for one test file.
 */
import { after, afterEach, type TestContext } from 'node:test';
import type { EngineOptions } from './engine.ts';
import { Lab } from './lab.ts';

/** The image that stories run; see `rootfs.ts`. */
export const image = 'busybox';

/**
 * Makes the lab of a test file and closes it after the file's last test. When a test failed, the engine's log is
 * written to standard output, which the test runner shows with the failure.
 */
export async function openStory(options: EngineOptions | ((lab: Lab) => EngineOptions) = {}): Promise<Lab> {
  const lab = await Lab.create();
  let failed = false;
  afterEach((context) => {
    failed ||= !(context as TestContext).passed;
  });
  after(async () => {
    if (failed) process.stdout.write(`log of ${lab.engine.kind}:\n${lab.engine.log()}\n`);
    await lab.close();
  });
  await lab.startEngine(typeof options === 'function' ? options(lab) : options);
  await lab.importBusybox(`${image}:latest`);
  return lab;
}

/** The parts of `docker inspect` of a container that stories look at. */
export interface InspectedContainer {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Config: {
    readonly Hostname: string;
    readonly User: string;
    readonly Env: readonly string[];
    readonly Cmd: readonly string[] | null;
    readonly Entrypoint: readonly string[] | null;
    readonly WorkingDir: string;
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly HostConfig: { readonly NetworkMode: string; readonly AutoRemove: boolean };
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly ResolvConfPath: string;
  readonly NetworkSettings: {
    readonly SandboxID: string;
    readonly SandboxKey: string;
    readonly Ports: Readonly<Record<string, unknown>>;
    readonly IPAddress: string;
    readonly Gateway: string;
    readonly MacAddress: string;
    readonly IPPrefixLen: number;
    readonly Networks: Readonly<Record<string, InspectedEndpoint>>;
  };
}

export interface InspectedEndpoint {
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly MacAddress: string;
}

/** `docker inspect` of one container. */
export async function inspect(lab: Lab, container: string): Promise<InspectedContainer> {
  const [first] = JSON.parse(await lab.dockerOutput(`inspect ${container}`)) as InspectedContainer[];
  if (first === undefined) throw new Error(`docker inspect ${container} printed an empty list`);
  return first;
}

/** The address of a running container on the default bridge. */
export async function addressOf(lab: Lab, container: string): Promise<string> {
  return (await inspect(lab, container)).NetworkSettings.IPAddress;
}

/** Removes containers, running or not. */
export async function removeContainers(lab: Lab, ...containers: string[]): Promise<void> {
  await lab.docker(['rm', '-f', ...containers]);
}

/** Repeats a check until it does not throw; the last error is thrown when the time is over. */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
