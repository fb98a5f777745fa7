import tseslint from "typescript-eslint"

const node = {
    setTimeout: "readonly",
    clearTimeout: "readonly",
    console: "readonly",
    process: "readonly",
    performance: "readonly",
    Buffer: "readonly",
    URL: "readonly",
}

/** What can be seen without types. */
const syntax = {
    eqeqeq: ["error", "always"],
    "no-case-declarations": "error",
    "no-const-assign": "error",
    "no-constant-binary-expression": "error",
    "no-debugger": "error",
    "no-dupe-else-if": "error",
    "no-dupe-keys": "error",
    "no-duplicate-case": "error",
    "no-empty": "error",
    "no-fallthrough": "error",
    "no-labels": "error",
    "no-self-assign": "error",
    "no-self-compare": "error",
    "no-unreachable": "error",
    "no-unsafe-finally": "error",
    "no-var": "error",
    "prefer-const": "error",
    "use-isnan": "error",
}

export default tseslint.config(
    { ignores: ["node_modules/", "build/", "test-results/", "**/.devicescript/", "**/*.d.ts"] },
    { linterOptions: { reportUnusedDisableDirectives: "error" } },
    {
        files: ["**/*.mjs"],
        languageOptions: { globals: node },
        rules: { ...syntax, "no-undef": "error", "no-unused-vars": "error" },
    },
    {
        files: ["tools/**/*.ts", "test/**/*.ts", "hw-tests/**/*.ts"],
        ignores: ["test/sim/firmware/**", "test/sim/cabinet-firmware/**"],
        extends: [tseslint.configs.recommended],
        languageOptions: { parserOptions: { project: ["tsconfig.json", "tsconfig.firmware.json"] } },
        rules: {
            eqeqeq: ["error", "always"],
            "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
            // a promise nobody waits for is an error nobody sees
            "@typescript-eslint/no-floating-promises": "error",
            "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
            "@typescript-eslint/await-thenable": "error",
        },
    },
    {
        // Programs in DeviceScript's dialect: its own compiler checks their types; here only what can be seen in the syntax.
        files: ["src/**/*.ts", "test/sim/firmware/**/*.ts", "test/sim/cabinet-firmware/**/*.ts"],
        languageOptions: { parser: tseslint.parser },
        rules: syntax,
    },
)
