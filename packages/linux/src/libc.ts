/**
 * The C library through foreign calls: one checked wrapper for each call that Node does not offer.
 *
 * This and libc-files.ts are the only modules that know koffi (nftables.ts loads its own library on top of it). Every
 * call here is synchronous and runs on the calling thread; the ones that can sleep in the kernel
 * (setns, unshare, mount, umount2, a blocking recv) belong on a KernelThread. Failures throw LinuxError.
 * Constants are those of x86-64 and arm64, which agree wherever we use them.
 */
import koffi from 'koffi';
import { errnoName, LinuxError } from './errno.ts';

const library = koffi.load('libc.so.6');

const c = {
  bind: library.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
  close: library.func('int close(int fd)'),
  connect: library.func('int connect(int fd, const uint8_t *address, uint32_t length)'),
  dup3: library.func('int dup3(int fd, int target, int flags)'),
  epoll_create1: library.func('int epoll_create1(int flags)'),
  epoll_ctl: library.func('int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)'),
  epoll_wait: library.func('int epoll_wait(int epoll, uintptr_t events, int count, int timeout)'),
  eventfd: library.func('int eventfd(uint initial, int flags)'),
  fcntl: library.func('int fcntl(int fd, int command, int64 argument)'),
  flock: library.func('int flock(int fd, int operation)'),
  getsockname: library.func('int getsockname(int fd, uint8_t *address, uint32_t *length)'),
  listen: library.func('int listen(int fd, int backlog)'),
  accept4: library.func('int accept4(int fd, void *address, void *length, int flags)'),
  mount: library.func(
    'int mount(const char *source, const char *target, const char *type, uint64 flags, const char *data)',
  ),
  open: library.func('int open(const char *path, int flags, uint mode)'),
  pipe2: library.func('int pipe2(int *fds, int flags)'),
  poll: library.func('int poll(uint8_t *fds, uint64 count, int timeout)'),
  posix_spawn: library.func(
    'int posix_spawn(int *pid, const char *path, const uint8_t *actions, const uint8_t *attributes, const char **argv, const char **env)',
  ),
  posix_spawn_file_actions_init: library.func('int posix_spawn_file_actions_init(uint8_t *actions)'),
  posix_spawn_file_actions_adddup2: library.func(
    'int posix_spawn_file_actions_adddup2(uint8_t *actions, int fd, int target)',
  ),
  posix_spawn_file_actions_addchdir_np: library.func(
    'int posix_spawn_file_actions_addchdir_np(uint8_t *actions, const char *path)',
  ),
  posix_spawn_file_actions_destroy: library.func('int posix_spawn_file_actions_destroy(uint8_t *actions)'),
  posix_spawnattr_init: library.func('int posix_spawnattr_init(uint8_t *attributes)'),
  posix_spawnattr_setflags: library.func('int posix_spawnattr_setflags(uint8_t *attributes, int16 flags)'),
  posix_spawnattr_setsigdefault: library.func(
    'int posix_spawnattr_setsigdefault(uint8_t *attributes, const uint8_t *signals)',
  ),
  posix_spawnattr_setsigmask: library.func(
    'int posix_spawnattr_setsigmask(uint8_t *attributes, const uint8_t *signals)',
  ),
  prctl: library.func('int prctl(int option, uint64 a, uint64 b, uint64 c, uint64 d)'),
  read: library.func('int64 read(int fd, uint8_t *buffer, uint64 length)'),
  recv: library.func('int64 recv(int fd, uint8_t *buffer, uint64 length, int flags)'),
  recvmmsg: library.func('int recvmmsg(int fd, uintptr_t messages, uint count, int flags, void *timeout)'),
  sendmmsg: library.func('int sendmmsg(int fd, uintptr_t messages, uint count, int flags)'),
  sendto: library.func(
    'int64 sendto(int fd, const uint8_t *buffer, uint64 length, int flags, const uint8_t *address, uint32_t addressLength)',
  ),
  send: library.func('int64 send(int fd, const uint8_t *buffer, uint64 length, int flags)'),
  setns: library.func('int setns(int fd, int type)'),
  setsockopt: library.func(
    'int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)',
  ),
  getsockopt: library.func('int getsockopt(int fd, int level, int option, uint8_t *value, uint32_t *length)'),
  shutdown: library.func('int shutdown(int fd, int how)'),
  socket: library.func('int socket(int family, int type, int protocol)'),
  socketpair: library.func('int socketpair(int family, int type, int protocol, int *fds)'),
  syscall: library.func('int64 syscall(int64 number, int64 a, int64 b, int64 c)'),
  umount2: library.func('int umount2(const char *target, int flags)'),
  unshare: library.func('int unshare(int flags)'),
  waitid: library.func('int waitid(int type, uint id, uint8_t *info, int options)'),
  write: library.func('int64 write(int fd, const uint8_t *buffer, uint64 length)'),
} as const;

/** Address families. Source: linux/socket.h. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

/** Socket types and flags. Source: linux/net.h. */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/** Internet protocols. Source: linux/in.h. */
export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_SCTP = 132;

/** Socket options. Source: asm-generic/socket.h, linux/in6.h, linux/netlink.h. */
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_ATTACH_BPF = 50;
export const TCP_NODELAY = 1;
export const TCP_INFO = 11;
export const IP_PKTINFO = 8;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const SO_RCVBUFFORCE = 33;
export const SOL_NETLINK = 270;

/** Message flags. Source: linux/socket.h. */
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** poll(2) events. Source: asm-generic/poll.h. */
export const POLLIN = 0x1;
export const POLLRDHUP = 0x2000;
export const POLLHUP = 0x10;

/** open(2) flags. O_DIRECTORY differs between x86-64 and arm64 and is left out. */
export const O_RDONLY = 0;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

/** Namespace flags. Source: linux/sched.h. */
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWNET = 0x40000000;

export const EFD_CLOEXEC = SOCK_CLOEXEC;
export const EFD_NONBLOCK = SOCK_NONBLOCK;

/** epoll_ctl(2). Source: linux/eventpoll.h. */
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000;

/** flock(2). Source: asm-generic/fcntl.h. */
export const LOCK_EX = 2;
export const LOCK_NB = 4;

const SHUT_RD = 0;
const SHUT_WR = 1;
const F_DUPFD_CLOEXEC = 1030;

/** Throws LinuxError for the call that has just failed. */
function fail(syscall: string, what?: string): never {
  throw new LinuxError(koffi.errno(), syscall, what);
}

/** Passes a result through; throws LinuxError when it says that the call failed. */
export function check(result: number, syscall: string, what?: string): number {
  return result < 0 ? fail(syscall, what) : result;
}

/** socket(2). The descriptor is always close-on-exec. Throws LinuxError. */
export function socket(family: number, type: number, protocol = 0): number {
  return check(c.socket(family, type | SOCK_CLOEXEC, protocol), 'socket');
}

/** socketpair(2) of AF_UNIX sockets, close-on-exec. Throws LinuxError. */
export function socketpair(type: number): [number, number] {
  const fds = new Int32Array(2);
  check(c.socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 'socketpair');
  return [fds[0]!, fds[1]!];
}

/** bind(2) with an encoded sockaddr; `what` names it in the error. Throws LinuxError. */
export function bind(fd: number, address: Uint8Array, what = 'bind'): void {
  check(c.bind(fd, address, address.length), 'bind', what);
}

/** connect(2) with an encoded sockaddr; `what` names the peer in the error. Throws LinuxError. */
export function connect(fd: number, address: Uint8Array, what = 'connect'): void {
  check(c.connect(fd, address, address.length), 'connect', what);
}

/** listen(2); `what` names it in the error. Throws LinuxError. */
export function listen(fd: number, backlog: number, what = 'listen'): void {
  check(c.listen(fd, backlog), 'listen', what);
}

/** accept4(2): the connection's descriptor, close-on-exec. Waits for one. Throws LinuxError. */
export function accept(fd: number): number {
  return check(c.accept4(fd, null, null, SOCK_CLOEXEC), 'accept');
}

/**
 * accept4(2) without waiting: the connection's descriptor, non-blocking and close-on-exec; -1 when none waits.
 * Throws LinuxError (EMFILE, ENFILE).
 */
export function acceptNow(fd: number): number {
  for (;;) {
    const accepted = c.accept4(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK) as number;
    if (accepted >= 0) return accepted;
    const name = errnoName(koffi.errno());
    if (name === 'EAGAIN') return -1;
    // A connection that has failed while it waited is none; the next one may be good (accept(2), Error handling).
    if (name !== 'ECONNABORTED' && name !== 'EINTR' && name !== 'EPROTO') fail('accept');
  }
}

/** getsockname(2): the encoded sockaddr. Throws LinuxError. */
export function getsockname(fd: number): Uint8Array {
  const address = new Uint8Array(128);
  const length = new Uint32Array([address.length]);
  check(c.getsockname(fd, address, length), 'getsockname');
  return address.subarray(0, length[0]);
}

/** setsockopt(2) with an int. Throws LinuxError. */
export function setsockopt(fd: number, level: number, option: number, value: number): void {
  setsockoptBytes(fd, level, option, new Uint8Array(Int32Array.of(value).buffer));
}

/** setsockopt(2) with an encoded structure. Throws LinuxError. */
export function setsockoptBytes(fd: number, level: number, option: number, value: Uint8Array): void {
  check(c.setsockopt(fd, level, option, value, value.length), 'setsockopt', `set option ${level}/${option}`);
}

/** getsockopt(2) of an int. Throws LinuxError. */
export function getsockopt(fd: number, level: number, option: number): number {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  check(c.getsockopt(fd, level, option, new Uint8Array(value.buffer), length), 'getsockopt');
  return value[0]!;
}

/** send(2), repeated when a signal interrupts it; returns the bytes taken. Throws LinuxError. */
export function send(fd: number, data: Uint8Array, flags = 0): number {
  for (;;) {
    const sent = c.send(fd, data, data.length, flags) as number;
    if (sent >= 0) return sent;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('send');
  }
}

/**
 * recv(2) into `buffer`, repeated when a signal interrupts it; returns its length, 0 at the end of a stream.
 * With MSG_TRUNC the result is the message's full length even where the buffer was too small. Throws LinuxError.
 */
export function recv(fd: number, buffer: Uint8Array, flags = 0): number {
  for (;;) {
    const got = c.recv(fd, buffer, buffer.length, flags) as number;
    if (got >= 0) return got;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('recv');
  }
}

/** send(2) without waiting and without a signal; returns the bytes taken, 0 for none at the moment. Throws LinuxError. */
export function sendNow(fd: number, data: Uint8Array): number {
  for (;;) {
    const sent = c.send(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL) as number;
    if (sent >= 0) return sent;
    const name = errnoName(koffi.errno());
    if (name === 'EAGAIN') return 0;
    if (name !== 'EINTR') fail('send');
  }
}

/** recv(2) without waiting; returns the bytes received, 0 at the end of a stream, -1 for none yet. Throws LinuxError. */
export function recvNow(fd: number, buffer: Uint8Array): number {
  for (;;) {
    const got = c.recv(fd, buffer, buffer.length, MSG_DONTWAIT) as number;
    if (got >= 0) return got;
    const name = errnoName(koffi.errno());
    if (name === 'EAGAIN') return -1;
    if (name !== 'EINTR') fail('recv');
  }
}

/** sendto(2) with an encoded sockaddr. Throws LinuxError. */
export function sendto(fd: number, data: Uint8Array, flags: number, address: Uint8Array): number {
  for (;;) {
    const sent = c.sendto(fd, data, data.length, flags, address, address.length) as number;
    if (sent >= 0) return sent;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('sendto');
  }
}

/** recvmmsg(2) over an array of `struct mmsghdr` at an address; returns how many arrived, 0 for none. Throws LinuxError. */
export function recvmmsg(fd: number, messages: number, count: number, flags: number): number {
  const got = c.recvmmsg(fd, messages, count, flags, null) as number;
  if (got >= 0) return got;
  const name = errnoName(koffi.errno());
  return name === 'EAGAIN' || name === 'EINTR' ? 0 : fail('recvmmsg');
}

/** sendmmsg(2) over an array of `struct mmsghdr` at an address; returns how many were sent. Throws LinuxError. */
export function sendmmsg(fd: number, messages: number, count: number, flags: number): number {
  for (;;) {
    const sent = c.sendmmsg(fd, messages, count, flags) as number;
    if (sent >= 0) return sent;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('sendmmsg');
  }
}

/** epoll_create1(2), close-on-exec. Throws LinuxError. */
export function epollCreate(): number {
  return check(c.epoll_create1(O_CLOEXEC), 'epoll_create1');
}

/** epoll_ctl(2) with an encoded `struct epoll_event`. Throws LinuxError. */
export function epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): void {
  check(c.epoll_ctl(epoll, operation, fd, event), 'epoll_ctl', `watch descriptor ${fd}`);
}

/**
 * epoll_wait(2) into an array of `struct epoll_event` at an address. Returns how many are ready, 0 after `timeoutMs`
 * (-1 waits for ever) and also when a signal arrived. Throws LinuxError.
 */
export function epollWait(epoll: number, events: number, count: number, timeoutMs: number): number {
  const ready = c.epoll_wait(epoll, events, count, timeoutMs) as number;
  if (ready >= 0) return ready;
  return errnoName(koffi.errno()) === 'EINTR' ? 0 : fail('epoll_wait');
}

/** Memory outside of the JavaScript heap, for structures that point at each other. It lives until the process ends. */
export interface NativeMemory {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Takes zeroed native memory, for good: not for what is needed time and again. */
export function allocate(length: number): NativeMemory {
  const pointer = koffi.alloc('uint8_t', length);
  const buffer = koffi.view(pointer, length);
  const bytes = new Uint8Array(buffer);
  bytes.fill(0);
  return { address: Number(koffi.address(pointer)), bytes, view: new DataView(buffer) };
}

/** flock(2). Throws LinuxError (EAGAIN: somebody else has it, with LOCK_NB). */
export function flock(fd: number, operation: number): void {
  check(c.flock(fd, operation), 'flock');
}

/** read(2). Throws LinuxError. */
export function read(fd: number, buffer: Uint8Array): number {
  for (;;) {
    const got = c.read(fd, buffer, buffer.length) as number;
    if (got >= 0) return got;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('read');
  }
}

/** write(2); returns the bytes taken. Throws LinuxError. */
export function write(fd: number, data: Uint8Array): number {
  for (;;) {
    const put = c.write(fd, data, data.length) as number;
    if (put >= 0) return put;
    if (errnoName(koffi.errno()) !== 'EINTR') fail('write');
  }
}

/** shutdown(2) of the reading side: a TCP socket that listens stops that, and stays bound. Throws LinuxError. */
export function shutdownRead(fd: number): void {
  check(c.shutdown(fd, SHUT_RD), 'shutdown');
}

/** shutdown(2) of the writing side. Throws LinuxError. */
export function shutdownWrite(fd: number): void {
  check(c.shutdown(fd, SHUT_WR), 'shutdown');
}

/**
 * poll(2) over an array of `struct pollfd` (8 bytes each: i32 fd, i16 events, i16 revents, host order).
 * Returns how many are ready, 0 after `timeoutMs` (-1 waits for ever) and also when a signal arrived. Throws LinuxError.
 */
export function poll(fds: Uint8Array, count: number, timeoutMs: number): number {
  const ready = c.poll(fds, count, timeoutMs) as number;
  if (ready >= 0) return ready;
  return errnoName(koffi.errno()) === 'EINTR' ? 0 : fail('poll');
}

/** eventfd(2), close-on-exec and non-blocking. Throws LinuxError. */
export function eventfd(): number {
  return check(c.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd');
}

/** open(2), close-on-exec. Throws LinuxError. */
export function open(path: string, flags: number, mode = 0): number {
  return check(c.open(path, flags | O_CLOEXEC, mode), 'open', `open ${path}`);
}

/** close(2). An interrupted close has closed on Linux. Throws LinuxError (EBADF is a bug in the caller). */
export function close(fd: number): void {
  if ((c.close(fd) as number) < 0 && errnoName(koffi.errno()) !== 'EINTR') fail('close', `close ${fd}`);
}

/** A copy of a descriptor, close-on-exec, with the first free number from `lowest` on. Throws LinuxError. */
export function dup(fd: number, lowest = 3): number {
  return check(c.fcntl(fd, F_DUPFD_CLOEXEC, lowest), 'fcntl', `duplicate descriptor ${fd}`);
}

/** pipe2(2): the reading and the writing end, close-on-exec. Throws LinuxError. */
export function pipe(): [number, number] {
  const fds = new Int32Array(2);
  check(c.pipe2(fds, O_CLOEXEC), 'pipe2');
  return [fds[0]!, fds[1]!];
}

/** dup3(2): makes `target` a copy of `fd`, close-on-exec. Throws LinuxError. */
export function dup3(fd: number, target: number): number {
  return check(c.dup3(fd, target, O_CLOEXEC), 'dup3', `duplicate descriptor ${fd} to ${target}`);
}

/** setns(2): moves the calling thread, and only it, into the namespace that `fd` refers to. Throws LinuxError. */
export function setns(fd: number, type: number): void {
  check(c.setns(fd, type), 'setns');
}

/** unshare(2) for the calling thread. Throws LinuxError. */
export function unshare(flags: number): void {
  check(c.unshare(flags), 'unshare');
}

/** mount(2). Empty strings stand for "none". Throws LinuxError. */
export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  const what = type === '' ? `mount ${source} on ${target}` : `mount ${type} on ${target}`;
  check(c.mount(source, target, type === '' ? null : type, flags, data === '' ? null : data), 'mount', what);
}

/** umount2(2). Throws LinuxError. */
export function umount2(target: string, flags: number): void {
  check(c.umount2(target, flags), 'umount2', `unmount ${target}`);
}

/** pidfd_open(2): a descriptor that stays bound to this process and polls readable at its exit. Throws LinuxError. */
export function pidfdOpen(pid: number): number {
  const SYS_pidfd_open = 434; // asm-generic/unistd.h; the C library has a wrapper only since glibc 2.36
  return check(Number(c.syscall(SYS_pidfd_open, pid, 0, 0)), 'pidfd_open', `open process ${pid}`);
}

/** bpf(2) of an encoded `union bpf_attr`; returns a descriptor, close-on-exec. Throws LinuxError. */
export function bpf(command: number, attributes: NativeMemory): number {
  const SYS_bpf = process.arch === 'x64' ? 321 : 280; // asm/unistd_64.h, asm-generic/unistd.h
  return check(Number(c.syscall(SYS_bpf, command, attributes.address, attributes.bytes.length)), 'bpf');
}

/** pidfd_getfd(2): a copy of another process's descriptor, close-on-exec. Throws LinuxError. */
export function pidfdGetfd(pidfd: number, target: number): number {
  const SYS_pidfd_getfd = 438; // asm-generic/unistd.h, since Linux 5.6
  const what = `copy descriptor ${target} of another process`;
  return check(Number(c.syscall(SYS_pidfd_getfd, pidfd, target, 0)), 'pidfd_getfd', what);
}

/** What posix_spawn(3) is to do besides; sizes of the structures are those of glibc, rounded up. */
export interface SpawnCall {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** The child's descriptors from 0 on; each is above all of them. */
  readonly descriptors: readonly number[];
}

/**
 * posix_spawn(3): starts a program in a session of its own, with no signal blocked or ignored. The child borrows our
 * memory until it runs the program, so that it costs the same however much we have. Throws LinuxError.
 */
export function posixSpawn({ path, args, env, cwd, descriptors }: SpawnCall): number {
  const [actions, attributes, pid] = [new Uint8Array(256), new Uint8Array(512), new Int32Array(1)];
  c.posix_spawn_file_actions_init(actions);
  try {
    c.posix_spawn_file_actions_addchdir_np(actions, cwd);
    descriptors.forEach((fd, target) => {
      c.posix_spawn_file_actions_adddup2(actions, fd, target);
    });
    c.posix_spawnattr_init(attributes);
    c.posix_spawnattr_setflags(
      attributes,
      POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID,
    );
    c.posix_spawnattr_setsigdefault(attributes, resettableSignals);
    c.posix_spawnattr_setsigmask(attributes, noSignals);
    const errno = c.posix_spawn(pid, path, actions, attributes, [...args, null], [...env, null]) as number;
    if (errno !== 0) throw new LinuxError(errno, 'posix_spawn', `run ${path}`);
    return pid[0]!;
  } finally {
    c.posix_spawn_file_actions_destroy(actions);
  }
}

/** Source: spawn.h of glibc. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

/** sigset_t has a bit for each signal, 1 first; SIGKILL (9) and SIGSTOP (19) cannot be set. */
const noSignals = new Uint8Array(128);
const resettableSignals = new Uint8Array(128);
new DataView(resettableSignals.buffer).setUint32(0, 0x7fffffff & ~(1 << 8) & ~(1 << 18), true);

/** A child that has ended. */
export interface EndedChild {
  readonly pid: number;
  /** CLD_EXITED, or what ended it. */
  readonly reason: number;
  /** The exit code, or the signal. */
  readonly status: number;
}

export const CLD_EXITED = 1;
export const P_ALL = 0;
export const P_PID = 1;
export const WNOWAIT = 0x01000000;

/**
 * waitid(2) for children that have ended, without waiting: undefined when none has, 'none' when there is no such child.
 * @param options WNOWAIT leaves the child as it is. Throws LinuxError.
 */
export function waitid(type: number, id: number, options = 0): EndedChild | 'none' | undefined {
  const [WNOHANG, WEXITED] = [1, 4];
  const info = new DataView(new ArrayBuffer(128));
  for (;;) {
    if ((c.waitid(type, id, new Uint8Array(info.buffer), options | WNOHANG | WEXITED) as number) === 0) break;
    const name = errnoName(koffi.errno());
    if (name === 'ECHILD') return 'none';
    if (name !== 'EINTR') fail('waitid');
  }
  // siginfo_t of 64-bit Linux: si_code at 8, si_pid at 16, si_status at 24.
  const pid = info.getInt32(16, true);
  if (pid === 0) return undefined;
  return { pid, reason: info.getInt32(8, true), status: info.getInt32(24, true) };
}

/** prctl(2), PR_SET_CHILD_SUBREAPER: what our descendants leave behind becomes ours to wait for. Throws LinuxError. */
export function becomeSubreaper(): void {
  const PR_SET_CHILD_SUBREAPER = 36;
  check(c.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl', 'become a subreaper');
}
