/** Every frame of docs/PROTOCOL.md, version 1, encoded, decoded and checked by the host's own code. */
export * from "./answers"
export * from "./array-figures"
export * from "./commands"
export * from "./names"
export * from "./numbers"
export * from "./notices"
