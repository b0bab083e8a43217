/**
 * Loaded into every service that the supervisor starts (`node --import`): when the supervisor is gone, however it
 * went, the channel between the two breaks, and the service drains as on SIGTERM. So nothing is orphaned.
 */
const drain = Number(process.env['RAVENHELM_DRAIN_TIMEOUT_MS'] ?? 10_000);

process.once('disconnect', () => {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), drain * 2 + 5000).unref();
  process.kill(process.pid, 'SIGTERM');
});
// The channel itself is no reason to stay alive.
process.channel?.unref();
