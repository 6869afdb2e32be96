/** What registries answer when they refuse, and how that is told. Source: OCI distribution specification, "Error Codes". Pure. */
import {
  type EngineError,
  forbidden,
  internal,
  notFound,
  unauthorized,
  unavailable,
} from '../../base/errors.ts';
import { asObject, text } from '../image-config.ts';

export interface RegistryRefusal {
  readonly status: number;
  /** `MANIFEST_UNKNOWN`; empty when the body was none of a registry's. */
  readonly code: string;
  /** As Docker prints it, `manifest unknown: manifest unknown`. */
  readonly message: string;
}

const MAX_QUOTED = 512;

/** Reads the body of an answer with a status of 400 or more. */
export function parseRefusal(status: number, body: string): RegistryRefusal {
  const errors = asObject(parse(body)).errors;
  const [first] = Array.isArray(errors) ? errors : [];
  const { code, message, detail } = asObject(first);
  if (text(code) !== '') {
    const words = text(code).toLowerCase().replaceAll('_', ' ');
    return { status, code: text(code), message: `${words}: ${text(message) || text(detail) || words}` };
  }
  // Token servers answer so.
  const { details } = asObject(parse(body));
  if (status === 401) {
    const reason = text(details) || text(asObject(parse(body)).message) || 'authentication required';
    return { status, code: 'UNAUTHORIZED', message: `unauthorized: ${reason}` };
  }
  if (status >= 500) {
    return { status, code: '', message: `received unexpected HTTP status: ${status}` };
  }
  const quoted = JSON.stringify(body.slice(0, MAX_QUOTED));
  return { status, code: '', message: `error parsing HTTP ${status} response body: ${quoted}` };
}

/** The refusal of a pull, with what it means for the image. @param reference as the user would write it */
export function pullError(refusal: RegistryRefusal, repository: string, reference: string): EngineError {
  const { code, message } = refusal;
  if (code === 'DENIED') {
    return notFound(
      'pull-denied',
      `pull access denied for ${repository}, repository does not exist or may require 'docker login': ${message}`,
    );
  }
  if (code === 'MANIFEST_UNKNOWN') {
    return notFound('manifest-not-found', `manifest for ${reference} not found: ${message}`);
  }
  if (code === 'NAME_UNKNOWN') {
    return notFound('repository-not-found', `repository ${repository} not found: ${message}`);
  }
  return registryError(refusal);
}

/** The refusal as it stands. */
export function registryError({ status, message, code }: RegistryRefusal): EngineError {
  const facts = { status, code };
  if (status === 401) return unauthorized('registry-unauthorized', message, facts);
  if (status === 403) return forbidden('registry-denied', message, facts);
  if (status === 404) return notFound('registry-not-found', message, facts);
  if (status === 429 || status === 503) return unavailable('registry-busy', message, facts);
  return internal('registry-failed', message, facts);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
