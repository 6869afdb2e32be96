/** Where a container's output goes: `HostConfig.LogConfig`. Pure. */
import { invalid, type LogSettings } from '@seaway/engine';

/** The options that each log driver knows. */
const known: Readonly<Record<LogSettings['driver'], readonly string[]>> = {
  'json-file': ['max-file', 'max-size', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
  local: ['max-file', 'max-size', 'compress'],
  none: [],
};

/** Those that all drivers take. */
const shared: readonly string[] = ['mode', 'max-buffer-size'];

export interface DockerLogConfig {
  readonly Type?: string | null;
  readonly Config?: Readonly<Record<string, unknown>> | null;
}

/**
 * @returns undefined for the default
 * @throws invalid with Docker's texts for an unknown driver or option; their values are looked at when it starts
 */
export function parseLogConfig(config: DockerLogConfig | null | undefined): LogSettings | undefined {
  const driver = config?.Type || 'json-file';
  const options = (config?.Config ?? {}) as LogSettings['options'];
  if (driver === 'none') return { driver, options };
  checkMode(options);
  if (!Object.hasOwn(known, driver)) {
    throw invalid('unknown-log-driver', `logger: no log driver named '${driver}' is registered`, { driver });
  }
  const names = known[driver as LogSettings['driver']];
  const unknown = Object.keys(options).find((name) => !names.includes(name) && !shared.includes(name));
  if (unknown !== undefined) {
    const place = driver === 'json-file' ? 'json-file log driver' : `log driver ${driver}`;
    throw invalid('invalid-log-option', `unknown log opt '${unknown}' for ${place}`, { option: unknown });
  }
  if (driver === 'json-file' && Object.keys(options).length === 0) return undefined;
  return { driver: driver as LogSettings['driver'], options };
}

function checkMode({ mode = '', 'max-buffer-size': buffer }: LogSettings['options']): void {
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid('invalid-log-option', `logger: logging mode not supported: ${mode}`, { mode });
  }
  if (buffer !== undefined && mode !== 'non-blocking') {
    throw invalid(
      'invalid-log-option',
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    );
  }
}

export function toDockerLogConfig(logging: LogSettings | undefined) {
  return { Type: logging?.driver ?? 'json-file', Config: logging?.options ?? {} };
}
