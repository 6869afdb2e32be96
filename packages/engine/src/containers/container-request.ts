import { defaultShmSizeBytes, noEndpointSettings } from '../model/container.ts';
import type { HealthCheck } from '../model/health.ts';
import { parseNetworkMode } from '../model/network-mode.ts';
import type { PortRequest } from '../model/ports.ts';
import type { RestartPolicy } from '../model/restart-policy.ts';
import type { CreateRequest } from './plan-container.ts';

/** What programs that embed the engine usually want to say of a container. */
export interface ContainerOptions {
  readonly image: string;
  /** Program and arguments. @default the image's */
  readonly command?: readonly string[];
  /** @default a random name */
  readonly name?: string;
  /** `bridge`, `host`, `none`, `container:NAME` or the name of a network. @default 'bridge' */
  readonly network?: string;
  /** `NAME=value`. @default none beside the image's */
  readonly env?: readonly string[];
  /** @default none beside the image's */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the host answers for the container. @default nowhere */
  readonly ports?: readonly PortRequest[];
  /** Publishes the image's exposed ports that `ports` does not name, to random ports. @default false */
  readonly publishAllPorts?: boolean;
  /** Removes the container as soon as it has ended. @default false */
  readonly autoRemove?: boolean;
  /** When it is started again after its end. @default never */
  readonly restartPolicy?: RestartPolicy;
  /** What is left open comes from the image. @default the image's */
  readonly healthCheck?: HealthCheck;
}

/**
 * A request for `containers.create` with Docker's defaults in all that is left open.
 * @throws invalid for a network mode that is none
 */
export function containerRequest(options: ContainerOptions): CreateRequest {
  const networkModeText = options.network ?? 'bridge';
  const networkMode = parseNetworkMode(networkModeText);
  return {
    ...(options.name === undefined ? {} : { name: options.name }),
    config: {
      hostname: '',
      domainname: '',
      user: '',
      attachStdin: false,
      attachStdout: false,
      attachStderr: false,
      tty: false,
      openStdin: false,
      stdinOnce: false,
      env: options.env ?? [],
      cmd: options.command ?? null,
      entrypoint: null,
      image: options.image,
      workingDir: '',
      labels: options.labels ?? {},
      exposedPorts: [],
      ...(options.healthCheck ? { healthCheck: options.healthCheck } : {}),
    },
    host: {
      networkMode,
      networkModeText,
      autoRemove: options.autoRemove ?? false,
      ...(options.restartPolicy ? { restartPolicy: options.restartPolicy } : {}),
      binds: [],
      tmpfs: {},
      capAdd: [],
      capDrop: [],
      readonlyRootfs: false,
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      extraHosts: [],
      groupAdd: [],
      utsMode: 'private',
      shmSizeBytes: defaultShmSizeBytes,
      sysctls: {},
      securityOpt: [],
      rlimits: [],
      oomScoreAdj: 0,
      resources: {},
      cgroupParent: '',
      portBindings: options.ports ?? [],
      publishAllPorts: options.publishAllPorts ?? false,
    },
    networks: networkMode.kind === 'network' ? { [networkMode.network]: noEndpointSettings } : {},
  };
}
