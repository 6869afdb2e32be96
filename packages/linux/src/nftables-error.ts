/** The kernel or libnftables refused a ruleset change; nothing of it was applied. */
export class NftablesError extends Error {
  override name = 'NftablesError';
  /** All that libnftables wrote about it. */
  readonly output: string;
  /** The error's symbolic name where the text tells it (`EEXIST` of `File exists`), else undefined. */
  readonly code: string | undefined;

  constructor(message: string, output: string, code?: string) {
    super(message);
    this.output = output;
    this.code = code;
  }
}
