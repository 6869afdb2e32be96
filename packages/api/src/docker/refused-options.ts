/**
 * Options of a new container that this version cannot honour. They are refused rather than ignored: a container
 * that quietly lacks what was asked for is worse than none. `docs/api.md` lists them for users.
 */
import { notImplemented } from '@seaway/engine';
import type { CreateContainerBody, DockerHostConfig } from './create-container-body.ts';

export interface RefusedOption {
  /** Path of the field in the request. */
  readonly field: string;
  /** What it asks for, as the error names it; undefined where the request does not ask for it. */
  readonly asked: (body: CreateContainerBody, host: DockerHostConfig) => string | undefined;
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** In the order in which they are looked at. */
export const refusedOptions: readonly RefusedOption[] = [
  {
    field: 'NetworkingConfig.EndpointsConfig.IPAMConfig.LinkLocalIPs',
    asked: (body) =>
      Object.values(body.NetworkingConfig?.EndpointsConfig ?? {}).some((settings) =>
        isSet(settings?.IPAMConfig?.LinkLocalIPs),
      )
        ? 'a link-local address'
        : undefined,
  },
];

/** @throws notImplemented naming the first field that asks for something that this version cannot do */
export function refuseUnsupported(body: CreateContainerBody): void {
  const host = body.HostConfig ?? {};
  for (const { field, asked } of refusedOptions) {
    const what = asked(body, host);
    if (what === undefined) continue;
    throw notImplemented(
      'unsupported-option',
      `${field}: ${what} is not supported by this version of Seaway`,
      { field },
    );
  }
}
