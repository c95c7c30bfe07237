"""Find the platform and the site that a git remote leads to, by its URL, or by what `git config` says of it."""

from dataclasses import dataclass

from tools.deployment import smoke
from tools.deployment.errors import DeployError
from tools.deployment.heroku import URL, Heroku
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.plain import PlainServer
from tools.deployment.release import Platform
from tools.deployment.repository import Repository
from tools.deployment.shell import Shell
from tools.deployment.site import Site, require_serving, wait_until_it_serves

STAGING, PRODUCTION = "staging", "production"
REMOTES = (STAGING, PRODUCTION)


@dataclass
class Target:
    remote: str
    platform: Platform
    site: Site
    limits: Limits
    journal: Journal

    def check(self, commit: str, writes: bool) -> None:
        """Wait until the commit serves, take the smoke journey, and see that it serves still. Raises: DeployError."""
        wait_until_it_serves(self.site, commit, self.limits, self.journal)
        smoke.read(self.site, self.journal)
        if writes:
            smoke.write(self.site, self.journal)
        require_serving(self.site, commit)


def target(remote: str, repository: Repository, shell: Shell, limits: Limits) -> Target:
    """
    Raises:
        DeployError: there is no such remote, it cannot be told what it is, or we have no access to it.
    """
    platform = _platform(remote, repository, shell, limits)
    platform.require_access()
    site = repository.setting(remote, "site") or platform.site()
    if site is None:
        raise DeployError(f"Which site is it? git config remote.{remote}.site https://notes.example.com")
    return Target(remote, platform, Site(site.rstrip("/"), limits), limits, shell.journal)


def _platform(remote: str, repository: Repository, shell: Shell, limits: Limits) -> Platform:
    url = repository.setting(remote, "url")
    if url is None:
        raise DeployError(f"There is no git remote {remote}: heroku git:remote --remote {remote} --app APP")
    if receive := repository.setting(remote, "receive"):
        return PlainServer(remote, receive, shell, limits)
    if found := URL.fullmatch(url):
        return Heroku(found[1], shell, limits)
    raise DeployError(
        f"The remote {remote} is no app on Heroku. Of a plain server: git config remote.{remote}.receive"
        " 'ssh USER@SERVER bin/receive'"
    )
