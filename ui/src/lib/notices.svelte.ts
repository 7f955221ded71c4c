// What was done and what was not: shown for a while, and told to screen readers.

export interface Notice {
  id: number
  text: string
  failed: boolean
}

let notices = $state<Notice[]>([])
let polite = $state('')
let next = 1

export const board = {
  get notices() {
    return notices
  },
  get polite() {
    return polite
  },
}

export function dismiss(id: number): void {
  notices = notices.filter((notice) => notice.id !== id)
}

export function notify(text: string, failed = false): void {
  const id = next++
  notices = [...notices.slice(-3), { id, text, failed }]
  if (!failed) setTimeout(() => dismiss(id), 6000)
}

export function announce(text: string): void {
  polite = text
}
