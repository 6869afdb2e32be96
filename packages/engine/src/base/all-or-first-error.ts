/** Waits for all, so that nothing goes on behind a failure's undoing; then throws the first error. */
export async function allOrFirstError(work: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
