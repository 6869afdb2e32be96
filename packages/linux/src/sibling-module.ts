/** The URL of a module beside ours, under the extension that we ourselves have: `.ts` as written, `.js` as published. */
export function siblingModule(name: string, ourUrl: string): URL {
  return new URL(`./${name}${ourUrl.endsWith('.ts') ? '.ts' : '.js'}`, ourUrl);
}
