export declare const RUN_VARIABLE: string;
export declare function markedProcesses(mark: string): { pid: number; command: string }[];
export declare function remainingFiles(folder: string): string[];
export declare function remainingContainers(env: NodeJS.ProcessEnv): Promise<string[]>;
