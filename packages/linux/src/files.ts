/**
 * `@seaway/linux/files`: what a small process on files needs, without the rest of the package.
 */
export { errnoNumber, errnoText, isErrno, LinuxError } from './errno.ts';
export {
  attachTree,
  type DetachedTree,
  type DeviceNumber,
  decodeDevice,
  detachTree,
  encodeDevice,
  enterRoot,
  keepFileCapabilities,
  makeNode,
  makeReadonly,
  mountEmpty,
  type NodeKind,
  readAttribute,
  writeAttribute,
} from './file-tree.ts';
