"""Every URL of the service, a line a blueprint."""

from quart import Quart

from chat_service.agents.founding.routes import blueprint as founding
from chat_service.agents.keys.routes import blueprint as keys
from chat_service.agents.oidc.routes import blueprint as oidc
from chat_service.agents.roles.routes import blueprint as roles
from chat_service.agents.routes.accounts import blueprint as accounts
from chat_service.agents.routes.auth import agents
from chat_service.agents.routes.auth import blueprint as auth
from chat_service.agents.routes.auth import tickets
from chat_service.agents.routes.links import blueprint as links
from chat_service.agents.routes.logins import blueprint as logins
from chat_service.agents.routes.second_factor import blueprint as second_factor
from chat_service.agents.teams.routes import blueprint as teams
from chat_service.customers.routes import blueprint as customers
from chat_service.inboxes.routes import blueprint as inboxes
from chat_service.inboxes.signing.routes import blueprint as signing
from chat_service.intake.routes import arrivals
from chat_service.intake.routes import blueprint as intake
from chat_service.messages.routes import blueprint as messages
from chat_service.operations.demo import blueprint as demo
from chat_service.operations.routes import blueprint as operations
from chat_service.realtime.routes import blueprint as realtime
from chat_service.sessions.routes import blueprint as sessions
from chat_service.sessions.routes import leaving
from chat_service.views.routes import blueprint as events
from chat_service.workspaces.routes import blueprint as workspaces

BLUEPRINTS = (
    operations,
    demo,
    auth,
    agents,
    tickets,
    accounts,
    links,
    logins,
    second_factor,
    leaving,
    oidc,
    signing,
    arrivals,
    founding,
    keys,
    workspaces,
    inboxes,
    roles,
    teams,
    customers,
    intake,
    sessions,
    messages,
    events,
    realtime,
)


def register(app: Quart) -> None:
    """Give the application all its routes."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
