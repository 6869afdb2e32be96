/**
 * The default syscall filter: what current Docker allows a container, as data of our own.
 * Everything not named fails with EPERM. Names that the installed libseccomp does not know are skipped by runc.
 * Sources: syscalls(2) for the names, clone(2), personality(2) and socket(2) for the arguments.
 */
import { coverByMasks, type MaskedValue } from './masked-cover.ts';
import type { OciSeccomp, OciSeccompRule } from './oci-types.ts';

export type SeccompArchitecture = 'x64' | 'arm64';

export interface SeccompInput {
  /** `CAP_...` names of the container; some syscalls come with a capability. */
  readonly capabilities: readonly string[];
  readonly architecture: SeccompArchitecture;
  /** Running kernel, `[6, 18]`. */
  readonly kernel: readonly [major: number, minor: number];
}

const EPERM = 1;
const ENOSYS = 38;

/**
 * The 32-bit programs that a 64-bit kernel also runs get the same filter. Docker lists x32 as well; we leave that
 * out: no distribution kernel runs it, so only a stray call is affected (it is killed), and building the filter
 * for a third architecture takes 11 of the 42 ms that a start costs (measured with runc 1.1.5, libseccomp 2.5.4).
 */
const architectures = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
} as const satisfies Record<SeccompArchitecture, readonly string[]>;

/** Blank-separated names, so that a group reads like a paragraph and diffs line by line. */
function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Allowed to everybody, grouped by purpose. */
const always = {
  'files by descriptor': words(`
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close close_range
    dup dup2 dup3 fcntl fcntl64 ioctl flock fsync fdatasync sync syncfs sync_file_range fallocate ftruncate
    ftruncate64 fadvise64 fadvise64_64 readahead sendfile sendfile64 copy_file_range splice tee vmsplice
    cachestat pipe pipe2 getdents getdents64
  `),
  'files by path': words(`
    open openat openat2 creat mkdir mkdirat mknod mknodat rmdir unlink unlinkat rename renameat renameat2 link
    linkat symlink symlinkat readlink readlinkat truncate truncate64 access faccessat faccessat2 chdir fchdir
    getcwd umask name_to_handle_at
  `),
  'file metadata': words(`
    stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
    chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 utime utimes
    futimesat utimensat utimensat_time64 getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr
    setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
    listmount statmount
  `),
  'file events': words(`
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
  `),
  waiting: words(`
    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
  `),
  // io_uring is left out on purpose: it bypasses this filter and has had many kernel holes.
  'asynchronous I/O': words(`
    io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
  `),
  sockets: words(`
    socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt
    setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
  `),
  memory: words(`
    brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal
    remap_file_pages membarrier memfd_create memfd_secret map_shadow_stack pkey_alloc pkey_free pkey_mprotect
    process_mrelease
  `),
  processes: words(`
    fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp
    setpgid getsid setsid set_tid_address set_thread_area get_thread_area set_robust_list get_robust_list rseq
    prctl prlimit64 getrlimit setrlimit ugetrlimit getrusage times getcpu pidfd_open pidfd_send_signal
    restart_syscall seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self uretprobe
    riscv_hwprobe
  `),
  identity: words(`
    getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
    getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
    setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32
    capget capset
  `),
  scheduling: words(`
    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
    sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set
  `),
  signals: words(`
    kill tkill tgkill pause sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
  `),
  time: words(`
    time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex nanosleep alarm getitimer setitimer
    timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
  `),
  'locks and System V or POSIX queues': words(`
    futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue ipc semget semctl semop semtimedop
    semtimedop_time64 shmget shmat shmdt shmctl msgget msgctl msgsnd msgrcv mq_open mq_unlink mq_notify
    mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64
  `),
  system: words('uname sysinfo getrandom'),
} as const;

/** Allowed besides when the container has the capability. */
const withCapability = {
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
    quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
  `),
  CAP_SYS_BOOT: words('reboot'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('delete_module init_module finit_module'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
  CAP_SYS_RAWIO: words('iopl ioperm'),
  CAP_SYS_TIME: words('settimeofday stime clock_settime clock_settime64'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
  CAP_SYS_NICE: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  CAP_SYSLOG: words('syslog'),
  CAP_BPF: words('bpf'),
  CAP_PERFMON: words('perf_event_open'),
} as const;

/** Since Linux 4.8 a tracer cannot use these to slip past the filter (seccomp(2), "ptrace"). */
const tracing = words('ptrace process_vm_readv process_vm_writev');
const tracingSafeSince = [4, 8] as const;

const ofArchitecture = {
  x64: words('arch_prctl modify_ldt'),
  arm64: words('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
} as const satisfies Record<SeccompArchitecture, readonly string[]>;

/** personality(2): plain Linux with or without each of PER_LINUX32 and UNAME26. */
const personalities = { mask: 0xffffffff - 0x8 - 0x20000, value: 0 };
/** The question what it is now. */
const askPersonality = { mask: 0xffffffff, value: 0xffffffff };

/** Every CLONE_NEW* flag of clone(2): without CAP_SYS_ADMIN none of them may be set. */
const cloneNamespaceFlags = 0x7e020000;

/** One past the newest address family, AF_MCTP. Source: linux/socket.h (v6.18). */
const addressFamilyEnd = 46;

/**
 * Address families that a container has no use for and that reach past its network namespace or into rarely
 * maintained kernel code: DECNET 12, ECONET 19, ATMSVC 20, IRDA 23, WANPIPE 25, ISDN 34, CAIF 37, ALG 38 and
 * VSOCK 40 (which talks to the hypervisor).
 */
const deniedAddressFamilies: readonly number[] = [12, 19, 20, 23, 25, 34, 37, 38, 40];

/** The filter for one container; hand it to the runtime as `linux.seccomp`. */
export function buildSeccomp(input: SeccompInput): OciSeccomp {
  const capabilities = new Set(input.capabilities);
  const names = new Set<string>(Object.values(always).flat());
  const allow = (more: readonly string[]): void => {
    for (const name of more) names.add(name);
  };
  allow(ofArchitecture[input.architecture]);
  for (const [capability, more] of Object.entries(withCapability)) {
    if (capabilities.has(capability)) allow(more);
  }
  if (isAtLeast(input.kernel, tracingSafeSince)) allow(tracing);

  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: architectures[input.architecture],
    syscalls: [
      { names: [...names].sort(), action: 'SCMP_ACT_ALLOW' },
      allowWhenMasked('personality', personalities),
      allowWhenMasked('personality', askPersonality),
      ...socketRules,
      ...(capabilities.has('CAP_SYS_ADMIN') ? [] : cloneRules()),
    ],
  };
}

/**
 * Of 32-bit arguments the kernel looks at no more bits. Each comparison costs 0.1 ms whenever a filter is built, at
 * each start of a container and each exec.
 */
const socketRules: readonly OciSeccompRule[] = coverByMasks(
  new Set(
    Array.from({ length: addressFamilyEnd }, (_, family) => family).filter(
      (family) => !deniedAddressFamilies.includes(family),
    ),
  ),
).map((families) => allowWhenMasked('socket', families));

function allowWhenMasked(name: string, { mask, value }: MaskedValue): OciSeccompRule {
  return allowWhen(name, { index: 0, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' });
}

function cloneRules(): OciSeccompRule[] {
  return [
    allowWhenMasked('clone', { mask: cloneNamespaceFlags, value: 0 }),
    // Its flags lie behind a pointer where no filter can look. ENOSYS makes libraries fall back to clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ];
}

function allowWhen(name: string, argument: NonNullable<OciSeccompRule['args']>[number]): OciSeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [argument] };
}

function isAtLeast(kernel: readonly [number, number], wanted: readonly [number, number]): boolean {
  return kernel[0] > wanted[0] || (kernel[0] === wanted[0] && kernel[1] >= wanted[1]);
}
