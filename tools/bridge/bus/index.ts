/** The bus: Jacdac frames over a web socket, TCP or an in-process transport. */
export * from "./address"
export * from "./clock"
export * from "./connect"
export * from "./jacdac-bus"
export * from "./transport"
