/** A tasks module without a task: whatever is enqueued waits. */
export {}
