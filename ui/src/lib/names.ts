// Names of topics that belong to Kafka or to copying itself.
export function isInternal(topic: string): boolean {
  return topic.startsWith('__') || /(^|\.)(heartbeats|checkpoints\.internal)$/.test(topic) || /[.-]internal$/.test(topic) || topic.startsWith('mm2-')
}
