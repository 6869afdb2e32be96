/** `--net`: the text form of a network mode. Pure. */
import { invalid } from '../base/errors.ts';
import type { NetworkMode } from './container.ts';

/**
 * Parses `HostConfig.NetworkMode`. Empty and `default` mean the network `bridge`.
 * @throws invalid for `container` without a container
 */
export function parseNetworkMode(text: string): NetworkMode {
  switch (text) {
    case '':
    case 'default':
      return { kind: 'network', network: 'bridge' };
    case 'host':
      return { kind: 'host' };
    case 'none':
      return { kind: 'none' };
  }
  if (text === 'container' || text.startsWith('container:')) {
    const container = text.slice('container:'.length);
    if (container === '') {
      throw invalid(
        'invalid-network-mode',
        'invalid network mode: invalid container format container:<name|id>',
        {
          networkMode: text,
        },
      );
    }
    return { kind: 'container', container };
  }
  return { kind: 'network', network: text };
}

export function formatNetworkMode(mode: NetworkMode): string {
  switch (mode.kind) {
    case 'network':
      return mode.network;
    case 'container':
      return `container:${mode.container}`;
    case 'host':
    case 'none':
      return mode.kind;
  }
}
