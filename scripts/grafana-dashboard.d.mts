export function dashboardText(): string;
