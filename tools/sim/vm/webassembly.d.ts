// The part of WebAssembly that the simulator uses; TypeScript declares it only together with all of the DOM.

declare namespace WebAssembly {
    class Module {
        constructor(bytes: Uint8Array)
    }
    class Instance {
        constructor(module: Module, imports: Imports)
        readonly exports: Record<string, unknown>
    }
    interface Memory {
        readonly buffer: ArrayBuffer
    }
    type Imports = Record<string, Record<string, (...args: number[]) => unknown>>
}
